import pytest

from compress.chain.manifest import ModelManifest
from compress.data.rows import load_split
from compress.errors import DataError, ModelError, StepError
from compress.steps.augmentation import augmented
from compress.steps.distill import Distill
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_base, tiny_checkpoint, tiny_dataset_folder, tiny_tokenizer

SHORT = {"steps": 4, "batch_size": 8, "precision": "fp32"}
KINDS = [{"kind": "mask", "copies": 2}, {"kind": "cutoff"}, {"kind": "swap"}]


def stage(**fields):
    return Distill.model_validate(
        {"name": "student", "step": "distill", "teacher": "teacher", "data": "news", "student": {"layers": 2},
         "training": SHORT, **fields}
    )  # fmt: skip


def workspace_of(tmp_path, out="out", family="bert", **data):
    if not (tmp_path / "news").exists():
        tiny_dataset_folder(tmp_path / "news", 40, **data)
        tiny_checkpoint(tmp_path / "teacher", family, layers=3)
    artifacts = {name: tiny_artifact(kind, tmp_path / name)
                 for name, kind in (("news", "Dataset"), ("teacher", "Checkpoint"))}  # fmt: skip
    return TinyWorkspace(tmp_path / out, artifacts)


def rows_of(workspace, *said, tokenizers=None):
    chosen = stage(augmentation=list(said)).augmentation
    return augmented(
        chosen, workspace.artifacts["news"], workspace, tokenizers=tokenizers or [tiny_tokenizer()], max_length=32
    )


def test_a_student_learns_from_changed_rows_that_its_teacher_answers(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(augmentation=KINDS).run(workspace)
    details = ModelManifest.read(workspace.out).details
    made = details["augmentation"]["rows"]
    assert made["cutoff"] == 40
    assert 35 < made["swap"] <= 40  # two equal words may change places
    assert 40 < made["mask"] < 80  # a tenth of 4 to 24 words is none at times: such rows are left out
    assert details["rows"] == {"labelled": 40, "unlabelled": sum(made.values())}
    assert workspace.built == 3  # the rows, the teacher's answers to them and to the others


def test_the_same_rows_are_made_once_and_others_for_other_words(tmp_path):
    workspace = workspace_of(tmp_path)
    first = rows_of(workspace, *KINDS)
    assert rows_of(workspace, *KINDS) == first
    assert workspace.built == 1
    other = rows_of(workspace, {"kind": "swap", "share": 0.2})
    workspace.seed = 18
    third = rows_of(workspace, *KINDS)
    assert len({first.digest, other.digest, third.digest}) == 3
    texts = [load_split(one.path, "train")["text"][:] for one in (first, third)]
    assert texts[0] != texts[1]


def test_pairs_are_changed_on_both_sides(tmp_path):
    workspace = workspace_of(tmp_path, pairs=True)
    made = rows_of(workspace, {"kind": "cutoff", "share": 0.5})
    rows, before = load_split(made.path, "train"), load_split(tmp_path / "news", "train")
    assert made.manifest.text_columns == 2
    assert not made.manifest.labelled
    for name in ("text", "text_pair"):
        assert all(len(one.split()) < len(other.split()) for one, other in zip(rows[name], before[name], strict=True))


def test_a_mask_that_the_models_do_not_share_is_refused_but_deletion_is_not(tmp_path):
    workspace = workspace_of(tmp_path)
    both = [tiny_tokenizer("bert"), tiny_tokenizer("mpnet")]
    with pytest.raises(StepError, match=r"same mask token, found '<mask>' and '\[MASK\]': write `by: deletion`"):
        rows_of(workspace, {"kind": "mask"}, tokenizers=both)
    made = rows_of(workspace, {"kind": "mask", "share": 0.5, "by": "deletion"}, tokenizers=both)
    assert not any("MASK" in text for text in load_split(made.path, "train")["text"])


def test_a_base_that_cannot_guess_words_is_refused(tmp_path):
    base = tiny_base(tmp_path / "encoder")
    with pytest.raises(ModelError, match="'encoder' has no head that guesses masked words"):
        rows_of(workspace_of(tmp_path), {"kind": "masked_language_model", "base": str(base)})


def test_words_come_from_a_masked_language_model(tmp_path):
    from tests.distillation.augmentation.test_masked_language_model import language_model

    language_model(tmp_path / "guesses", likely=("goal", "bank"))
    said = {"kind": "masked_language_model", "base": str(tmp_path / "guesses"), "share": 0.9, "candidates": 1}
    made = rows_of(workspace_of(tmp_path), said)
    words = " ".join(load_split(made.path, "train")["text"]).split()
    assert sum(word in ("goal", "bank") for word in words) > 0.8 * len(words)


def test_what_changes_nothing_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"augmentation 1 \(mask\) changed none of 40 rows"):
        rows_of(workspace_of(tmp_path), {"kind": "mask", "share": 1e-9})


def test_augmentation_teaches_nothing_by_hard_labels_alone():
    with pytest.raises(ValueError, match="`augmentation` text teaches nothing by hard_labels alone"):
        stage(augmentation=KINDS, objectives=[{"kind": "hard_labels"}])
