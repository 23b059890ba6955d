from itertools import pairwise

import pytest
import torch
import transformers

from compress.data.rows import load_split, texts_of
from compress.distillation.layers import encoder_layers
from compress.distillation.narrow import narrow_student, random_student
from compress.distillation.narrow_replay import recorded
from compress.distillation.narrow_shape import Shape, shape_for
from compress.distillation.narrow_texts import some_batches
from compress.errors import ModelError
from compress.models.blocks import blocks
from compress.models.load import load_checkpoint, load_tokenizer
from compress.models.save import save_checkpoint
from compress.progress import Silent
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_dataset_folder


def teacher_of(tmp_path, family="bert", **options):
    return load_checkpoint(tiny_checkpoint(tmp_path / "teacher", family, layers=3, **options))


def batches_of(tmp_path, family="bert"):
    data = tmp_path / "data"
    if not data.exists():
        tiny_dataset_folder(data, 80)
        tiny_checkpoint(tmp_path / "teacher", family, layers=3)
    return some_batches(data, load_tokenizer(tmp_path / "teacher"), max_length=32)


def made(teacher, batches, layers, shape, projection="pca"):
    return narrow_student(
        teacher, layers, shape, batches=batches, projection=projection, progress=Silent(), description="narrow"
    )


@torch.no_grad()
def logits(model, batches):
    takes = ("input_ids", "attention_mask", "token_type_ids")
    return torch.cat(
        [model(**{name: one for name, one in batch.items() if name in takes}).logits for batch in batches()]
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_student_as_wide_as_its_teacher_with_all_layers_is_the_teacher(tmp_path, family):
    teacher, batches = teacher_of(tmp_path, family), batches_of(tmp_path, family)
    student = made(teacher, batches, (0, 1, 2), shape_for(teacher, (0, 1, 2), hidden=32))
    torch.testing.assert_close(logits(student, batches), logits(teacher, batches), rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("projection", ["pca", "coordinates"])
def test_a_narrow_student_starts_nearer_to_its_teacher_than_a_random_one(tmp_path, family, projection):
    teacher, batches = teacher_of(tmp_path, family), batches_of(tmp_path, family)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    shape = shape_for(teacher, (0, 2), hidden=16)
    student, random = (
        made(teacher, batches, (0, 2), shape, projection),
        random_student(teacher, shape, layers=2, seed=3),
    )
    aim = logits(teacher, batches)
    errors = [float((logits(one, batches) - aim).square().mean()) for one in (student, random)]
    assert errors[0] < errors[1] / 4
    assert errors[0] < float(aim.var(dim=0).mean())  # better than the best constant answer
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
def test_smaller_heads_and_fewer_neurons_are_saved_and_loaded_with_the_same_answers(tmp_path, family):
    teacher, batches = teacher_of(tmp_path, family), batches_of(tmp_path, family)
    student = made(teacher, batches, (1,), shape_for(teacher, (1,), hidden=24, heads=4, neurons=40))
    save_checkpoint(student, load_tokenizer(tmp_path / "teacher"), tmp_path / "out", max_length=32)
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    (block,) = blocks(loaded)
    config = loaded.config
    assert (config.hidden_size, config.num_attention_heads, config.num_hidden_layers) == (24, 4, 1)
    assert (block.heads, block.head_size, block.neurons) == (4, 6, 40)
    assert not (tmp_path / "out" / "structure.json").exists()
    assert torch.equal(logits(loaded, batches), logits(student, batches))


def test_the_same_texts_make_the_same_student(tmp_path):
    teacher, batches = teacher_of(tmp_path), batches_of(tmp_path)
    shape = shape_for(teacher, (0, 2), hidden=16)
    one, other = (made(teacher, batches, (0, 2), shape).state_dict() for _ in range(2))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_factorised_embedding_stays_factorised(tmp_path):
    from compress.models.factorised import FactorisedEmbedding

    teacher, batches = teacher_of(tmp_path), batches_of(tmp_path)
    table = teacher.get_input_embeddings()
    factors = FactorisedEmbedding(table.num_embeddings, 8, 32, padding_idx=table.padding_idx)
    teacher.set_input_embeddings(factors)
    student = made(teacher, batches, (0, 1), shape_for(teacher, (0, 1), hidden=16))
    assert isinstance(student.get_input_embeddings(), FactorisedEmbedding)
    assert student.get_input_embeddings().rank == 8
    save_checkpoint(student, load_tokenizer(tmp_path / "teacher"), tmp_path / "out", max_length=32)
    torch.testing.assert_close(logits(load_checkpoint(tmp_path / "out"), batches), logits(student, batches))


def test_a_layer_run_again_answers_as_it_did(tmp_path):
    teacher, batches = teacher_of(tmp_path), batches_of(tmp_path)
    calls = recorded(teacher, batches())
    for one, following in pairwise(calls):
        for answer, came in zip(one.outputs(), following.states, strict=True):
            torch.testing.assert_close(answer, came)
    assert not any(layer._forward_pre_hooks for layer in encoder_layers(teacher))


def test_the_texts_are_spread_and_within_the_tokens_asked_for(tmp_path):
    batches_of(tmp_path)
    data = tmp_path / "data"
    found = some_batches(data, load_tokenizer(tmp_path / "teacher"), max_length=32, tokens=500)
    rows = sorted(int(row) for batch in found() for row in batch["row"])
    assert sum(int(batch["attention_mask"].sum()) for batch in found()) == pytest.approx(500, rel=0.15)
    assert rows[0] == 0
    assert rows[-1] == len(texts_of(load_split(data, "train"))) - 1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"hidden": 16}, Shape(16, 2, 32)),  # the teacher: 32 wide, 4 heads of 8, 64 neurons
        ({"hidden": 12}, Shape(12, 2, 24)),
        ({"hidden": 16, "heads": 4}, Shape(16, 4, 32)),
        ({"hidden": 24, "neurons": 10}, Shape(24, 3, 10)),
        ({"neurons": 10}, Shape(32, 4, 10)),
    ],
)
def test_what_is_not_said_of_the_shape_follows_the_teacher(tmp_path, asked, expected):
    assert shape_for(teacher_of(tmp_path), (0, 2), **asked) == expected


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"hidden": 48}, "hidden 48 is wider than its teacher, which has 32: ask for less"),
        ({"hidden": 16, "neurons": 65}, "neurons 65 is more than a layer of its teacher has, 64"),
        ({"hidden": 16, "heads": 8}, "heads 8 is more than a layer of its teacher has, 4"),
        ({"hidden": 16, "heads": 3}, "hidden 16 is not divisible by its 3 heads"),
        (
            {"hidden": 16, "heads": 1},
            "1 heads of hidden 16 are 16 wide, those of its teacher 8: ask for 2 heads or more",
        ),
        ({"hidden": 29}, "hidden 29 cannot be shared by up to 4 heads of at most 8"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(tmp_path, asked, message):
    with pytest.raises(ModelError, match=message):
        shape_for(teacher_of(tmp_path), (0, 2), **asked)


def test_a_pruned_teacher_bounds_the_shape(tmp_path):
    teacher = teacher_of(tmp_path)
    blocks(teacher)[2].keep_heads([0, 3])
    blocks(teacher)[2].keep_neurons(range(32))
    assert shape_for(teacher, (0, 2), hidden=16) == Shape(16, 2, 16)
    with pytest.raises(ModelError, match="heads 4 is more than a layer of its teacher has, 2"):
        shape_for(teacher, (0, 2), hidden=16, heads=4)
    assert made(teacher, batches_of(tmp_path), (0, 2), Shape(16, 2, 16)).num_parameters() < teacher.num_parameters()


def test_a_family_built_otherwise_is_refused():
    config = transformers.ElectraConfig(
        vocab_size=50, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    with pytest.raises(ModelError, match="cannot be made out of a 'electra' model"):
        shape_for(transformers.ElectraForSequenceClassification(config), (0,), hidden=8)
