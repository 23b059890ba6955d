import pytest
import torch
import transformers

from compress.distillation.layers import encoder_layers
from compress.distillation.student import layers_chosen, spread_layers, student_from_layers
from compress.errors import ModelError
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_config


def teacher_of(tmp_path, family, layers=6):
    folder = tiny_checkpoint(tmp_path / "teacher", family, layers=layers)
    return transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()


TOKENS = torch.tensor([[5, 6, 7, 8, 9], [5, 9, 8, 7, 6]])


@pytest.mark.parametrize(
    ("teacher", "student", "expected"),
    [
        (6, 3, (0, 2, 5)),
        (12, 6, (0, 2, 4, 7, 9, 11)),
        (12, 4, (0, 4, 7, 11)),
        (6, 6, (0, 1, 2, 3, 4, 5)),
        (6, 2, (0, 5)),
        (6, 1, (0,)),
        (1, 1, (0,)),
    ],
)
def test_layers_are_spread_from_the_first_to_the_last(teacher, student, expected):
    assert spread_layers(teacher, student) == expected


def test_spread_layers_are_always_different_and_rising():
    for teacher in range(1, 30):
        for student in range(1, teacher + 1):
            chosen = spread_layers(teacher, student)
            assert len(chosen) == student
            assert sorted(set(chosen)) == list(chosen)


@pytest.mark.parametrize("asked", [0, 7])
def test_more_layers_than_the_teacher_has_are_refused(asked):
    with pytest.raises(ModelError, match=f"has 6 layers, the student cannot take {asked} of them: ask for 1 to 6"):
        spread_layers(6, asked)


def test_layers_that_are_not_there_are_named():
    with pytest.raises(ModelError, match=r"teacher has layers 0 to 5, there is no layer 6, 9: choose among them"):
        layers_chosen(6, [0, 6, 9])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_student_saved_and_loaded_gives_the_same_logits_and_says_its_layers(tmp_path, family):
    student = student_from_layers(teacher_of(tmp_path, family), 3)
    student.save_pretrained(tmp_path / "student")
    loaded, problems = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "student", output_loading_info=True
    )
    assert not any(problems[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert loaded.config.num_hidden_layers == len(encoder_layers(loaded)) == 3
    assert loaded.num_parameters() == student.num_parameters()
    with torch.no_grad():
        assert torch.equal(loaded.eval()(TOKENS).logits, student(TOKENS).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_but_the_layers_is_copied_and_the_layers_are_the_chosen_ones(tmp_path, family):
    teacher = teacher_of(tmp_path, family)
    student = student_from_layers(teacher, [0, 2, 5])
    kept = {0: 0, 1: 2, 2: 5}
    stack = next(name for name, module in teacher.named_modules() if module is encoder_layers(teacher))
    theirs = teacher.state_dict()
    for name, tensor in student.state_dict().items():
        inside = name.removeprefix(f"{stack}.")
        number, _, rest = inside.partition(".")
        source = f"{stack}.{kept[int(number)]}.{rest}" if inside != name else name
        assert torch.equal(tensor, theirs[source]), name


def test_the_teacher_stays_as_it_is_and_shares_nothing(tmp_path):
    teacher = teacher_of(tmp_path, "bert")
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    student = student_from_layers(teacher, 2)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.zero_()
    assert teacher.config.num_hidden_layers == 6
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())


def test_all_layers_make_the_teacher_again(tmp_path):
    teacher = teacher_of(tmp_path, "distilbert")
    with torch.no_grad():
        assert torch.equal(student_from_layers(teacher, 6)(TOKENS).logits, teacher(TOKENS).logits)


def test_a_family_built_otherwise_is_refused_with_what_to_do():
    config = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, pad_token_id=0)
    model = transformers.GPT2ForSequenceClassification(config)
    with pytest.raises(ModelError, match="layers of a 'gpt2' model are not where those of BERT, RoBERTa, DistilBERT"):
        student_from_layers(model, 1)


def test_a_student_has_fewer_parameters():
    teacher = transformers.AutoModelForSequenceClassification.from_config(tiny_config(layers=4))
    layer = sum(parameter.numel() for parameter in encoder_layers(teacher)[0].parameters())
    assert student_from_layers(teacher, 1).num_parameters() == teacher.num_parameters() - 3 * layer
