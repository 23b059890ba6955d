"""Real, tiny, random models and data sets, made on the spot; nothing is kept between calls, every seed is fixed.

`tiny_texts` speaks of one subject a class, so that a tiny model can learn it; `TinyWorkspace` is what a step needs to
run without a pipeline.
"""

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import datasets
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from compress.chain.artifacts import (
    Artifact,
    Checkpoint,
    Dataset,
    LoraDelta,
    OnnxModel,
    artifact_of,
    exported_from,
)
from compress.chain.digests import Digests
from compress.chain.manifest import DatasetManifest, ModelManifest, SplitFacts
from compress.chain.step import Input
from compress.pipeline.bases import Bases
from compress.progress import Silent
from compress.task import Task

Family = Literal["bert", "distilbert", "roberta", "mpnet"]
FAMILIES: tuple[Family, ...] = ("bert", "distilbert", "roberta", "mpnet")

SUBJECTS = (
    "goal match team player score league coach win",
    "bank market share profit trade price stock tax",
    "film music actor song stage award band album",
    "phone software chip network data screen code web",
    "vote party minister law election policy reform debate",
)
FILLERS = "the,a,of,and,in,on,new,old,good,bad,very,said,today,people,year,time,with,for,from,that".split(",")  # noqa: SIM905
WORDS = sorted({*" ".join(SUBJECTS).split(), *FILLERS})
LENGTH = 64


def tiny_texts(rows: int = 60, classes: int = 3, seed: int = 0) -> tuple[list[str], list[int]]:
    """`rows` texts of 4 to 24 words and their classes (balanced, then shuffled); at most 5 classes."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(rows) % classes).tolist()
    return [_text(random, label) for label in labels], labels


def tiny_labels(classes: int = 3) -> tuple[str, ...]:
    """Names of the classes, sorted."""
    return tuple(f"class_{index}" for index in range(classes))


def tiny_tokenizer(family: Family = "bert") -> transformers.PreTrainedTokenizerBase:
    """A real fast tokenizer: word pieces, or byte-level BPE for RoBERTa."""
    tokenizer = _byte_level() if family == "roberta" else _word_piece(family)
    start, end, pad, unknown, mask = _specials(family)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=LENGTH, cls_token=start, sep_token=end, bos_token=start,
        eos_token=end, pad_token=pad, unk_token=unknown, mask_token=mask, model_input_names=_inputs(family),
    )  # fmt: skip


def tiny_config(
    family: Family = "bert", *, layers: int = 2, hidden: int = 32, heads: int = 4, vocabulary: int = 200
) -> transformers.PretrainedConfig:
    """The configuration of a tiny encoder of that family."""
    pad = 0 if family in ("bert", "distilbert") else 1
    if family == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=vocabulary, dim=hidden, n_layers=layers, n_heads=heads, hidden_dim=2 * hidden,
            max_position_embeddings=LENGTH, pad_token_id=pad,
        )  # fmt: skip
    make = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig, "mpnet": transformers.MPNetConfig}
    extra = {"type_vocab_size": 1 if family == "roberta" else 2} if family != "mpnet" else {}
    return make[family](
        vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=2 * hidden, max_position_embeddings=LENGTH + (0 if family == "bert" else 2),
        pad_token_id=pad, **extra,
    )  # fmt: skip


def tiny_base(
    folder: Path, family: Family = "bert", *, layers: int = 2, hidden: int = 32, heads: int = 4, seed: int = 0
) -> Path:
    """A random encoder without a head, as a pretrained base lies on disk: safetensors, config, fast tokenizer."""
    tokenizer = tiny_tokenizer(family)
    config = tiny_config(family, layers=layers, hidden=hidden, heads=heads, vocabulary=len(tokenizer))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModel.from_config(config)
    _quietly(lambda: model.save_pretrained(folder))
    tokenizer.save_pretrained(folder)
    return folder


def tiny_checkpoint(
    folder: Path,
    family: Family = "bert",
    *,
    labels: Sequence[str] = ("class_0", "class_1", "class_2"),
    task: Task = "text-classification",
    layers: int = 2,
    hidden: int = 32,
    heads: int = 4,
    seed: int = 0,
    spread: float = 0.2,
    dataset: str = "0" * 64,
) -> Path:
    """A Checkpoint folder with its manifest: a random encoder with a classification head.

    Weights are drawn with `spread` as standard deviation, so that logits of different texts really differ.
    `dataset`: digest of the Dataset artifact that it claims to be trained on.
    """
    tokenizer = tiny_tokenizer(family)
    config = tiny_config(family, layers=layers, hidden=hidden, heads=heads, vocabulary=len(tokenizer))
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = _problem(task)
    config.initializer_range = spread
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForSequenceClassification.from_config(config)
    _quietly(lambda: model.save_pretrained(folder))
    tokenizer.save_pretrained(folder)
    ModelManifest(
        kind="Checkpoint", task=task, labels=tuple(labels), max_length=LENGTH // 2, dataset=dataset, base="tiny",
        base_digest="0" * 64, parameters=model.num_parameters(),
    ).write(folder)  # fmt: skip
    return folder


def tiny_dataset_folder(
    folder: Path,
    rows: int = 60,
    classes: int = 3,
    *,
    task: Task = "text-classification",
    pairs: bool = False,
    labelled: bool = True,
    seed: int = 0,
) -> Path:
    """A Dataset artifact folder: `rows` for train, a third as many for validation and for test, and the manifest."""
    splits = {"train": rows, "validation": max(rows // 3, 3), "test": max(rows // 3, 3)}
    for number, (split, count) in enumerate(splits.items()):
        texts, classes_of = tiny_texts(count, classes, seed * 10 + number)
        _save_rows(folder / split, texts, classes_of if labelled else None, classes, task, pairs)
    labels = ("value",) if task == "text-regression" else tiny_labels(classes)
    DatasetManifest(
        task=task, labels=labels if labelled else (), labelled=labelled, text_columns=2 if pairs else 1,
        splits={split: SplitFacts(rows=count) for split, count in splits.items()}, source="tiny texts",
    ).write(folder)  # fmt: skip
    return folder


def tiny_artifact(kind: str, folder: Path) -> Artifact:
    """The artifact object of a folder: `tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "data"))`."""
    return artifact_of(kind, folder, Digests().folder(folder))


@dataclass
class TinyWorkspace:
    """What a running step may touch, with artifacts by stage name; `cached` keeps its folders below `kept`."""

    out: Path
    artifacts: Mapping[str, Artifact]
    seed: int = 17
    progress: Silent = field(default_factory=Silent)
    key: str = ""
    built: int = 0
    """How often `cached` had to build."""

    def __post_init__(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        self.kept = self.out.parent / f"{self.out.name}-cached"

    def load(self, edge: Input[Any]) -> Any:
        return self.artifacts[edge.stage]

    def dataset_of(self, model: Any) -> Dataset:
        """The data set with the digest that the manifest names, else the only one there is."""
        found = [one for one in self.artifacts.values() if isinstance(one, Dataset)]
        return next((one for one in found if one.digest == model.manifest.dataset), found[0])

    def base_of(self, model: LoraDelta) -> Path:
        return Bases().of(model)

    def checkpoint_of(self, model: OnnxModel) -> Checkpoint:
        made = [one for one in self.artifacts.values() if isinstance(one, Checkpoint)]
        return next(one for one in made if one.digest == exported_from(model))

    def cached(self, said: Mapping[str, Any], build: Callable[[Path], None]) -> Path:
        names = sorted(path.name for path in self.kept.glob("*.json"))
        canonical = json.dumps(said, sort_keys=True)
        for name in names:
            if (self.kept / name).read_text() == canonical:
                return self.kept / name.removesuffix(".json")
        folder = self.kept / str(len(names))
        folder.mkdir(parents=True)
        build(folder)
        (self.kept / f"{len(names)}.json").write_text(canonical)
        self.built += 1
        return folder


def _text(random: np.random.Generator, label: int) -> str:
    length = int(random.integers(4, 25))
    subject = random.random(length) < 0.5
    subject[0] = True
    return " ".join(str(random.choice(SUBJECTS[label].split() if own else FILLERS)) for own in subject)


def _save_rows(
    folder: Path, texts: list[str], classes_of: list[int] | None, classes: int, task: Task, pairs: bool
) -> None:
    columns: dict[str, Any] = {"text": texts}
    features: dict[str, Any] = {"text": datasets.Value("string")}
    if pairs:
        columns["text_pair"] = [" ".join(reversed(text.split())) for text in texts]
        features["text_pair"] = datasets.Value("string")
    if classes_of is not None:
        columns["label"], features["label"] = _targets(classes_of, classes, task)
    rows = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    rows._fingerprint = "0" * 16  # it is written into state.json
    _quietly(lambda: rows.save_to_disk(folder))


def _targets(classes_of: list[int], classes: int, task: Task) -> tuple[list[Any], Any]:
    """Labels in the task's shape: an index, a multi-hot row (the class and, for odd rows, the next one), a number."""
    if task == "text-classification":
        return classes_of, datasets.Value("int64")
    if task == "text-regression":
        return [label / max(classes - 1, 1) for label in classes_of], datasets.Value("float32")
    hot = np.eye(classes, dtype=np.float32)[classes_of]
    hot[1::2] = np.maximum(hot[1::2], np.roll(hot[1::2], 1, axis=1))
    return hot.tolist(), datasets.List(datasets.Value("float32"))


def _problem(task: Task) -> str:
    return {
        "text-classification": "single_label_classification",
        "multi-label-classification": "multi_label_classification",
        "text-regression": "regression",
    }[task]


def _inputs(family: Family) -> list[str]:
    types = ["token_type_ids"] if family == "bert" else []
    return ["input_ids", *types, "attention_mask"]


def _specials(family: Family) -> tuple[str, str, str, str, str]:
    """Start, end, padding, unknown, mask."""
    if family in ("bert", "distilbert"):
        return "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"
    return "<s>", "</s>", "<pad>", "[UNK]" if family == "mpnet" else "<unk>", "<mask>"


def _word_piece(family: Family) -> Tokenizer:
    """Whole words that the texts use, and letters for the rest; padding is 0 for BERT, 1 for MPNet."""
    start, end, pad, unknown, mask = _specials(family)
    first = [pad, unknown, start, end, mask] if family != "mpnet" else [start, pad, end, unknown, mask]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,!?'-")
    pieces = list(dict.fromkeys([*first, *letters, *(f"##{letter}" for letter in letters), *WORDS]))
    tokenizer = Tokenizer(
        models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token=unknown)  # type: ignore[call-arg]
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    ids = [(start, pieces.index(start)), (end, pieces.index(end))]
    if family == "mpnet":
        tokenizer.post_processor = processors.RobertaProcessing(ids[1], ids[0], trim_offsets=False)
    else:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start}:0 $A:0 {end}:0", pair=f"{start}:0 $A:0 {end}:0 $B:1 {end}:1", special_tokens=ids
        )
    return tokenizer


def _byte_level() -> Tokenizer:
    """Byte-level BPE as RoBERTa has it, trained on the words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([f"{word} {word}" for word in WORDS], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def _quietly(work: Callable[[], object]) -> None:
    """Without the libraries' progress bars."""
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    try:
        work()
    finally:
        if not bars:
            datasets.enable_progress_bars()


def tiny_onnx(folder: Path, family: Family = "bert", *, task: Task = "text-classification", classes: int = 3) -> Path:
    """An OnnxModel folder with its manifest, exported once a process (about two seconds) and then copied."""
    return Path(shutil.copytree(_exported(family, task, classes), folder, dirs_exist_ok=True))


@cache
def tiny_fused() -> Path:
    """The file of a graph of onnxruntime's own operators, as `export_graph` writes it with `fuse`; to be read only."""
    from compress.exporting.onnx_graph import export_graph
    from compress.models.load import load_checkpoint

    home = _home("tiny-fused-")
    model = load_checkpoint(tiny_checkpoint(home / "checkpoint"))
    export_graph(model, home / "model.onnx", inputs=["input_ids", "attention_mask", "token_type_ids"], fuse=True)
    return home / "model.onnx"


def _home(prefix: str) -> Path:
    home = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


@cache
def _exported(family: Family, task: Task, classes: int) -> Path:
    from compress.exporting.folder import copy_beside
    from compress.exporting.onnx_graph import export_graph
    from compress.models.load import load_checkpoint, load_tokenizer

    home = _home("tiny-onnx-")
    labels = ("value",) if task == "text-regression" else tiny_labels(classes)
    source = tiny_checkpoint(home / "checkpoint", family, labels=labels, task=task)
    made = home / "onnx"
    made.mkdir()
    export_graph(load_checkpoint(source), made / "model.onnx", inputs=load_tokenizer(source).model_input_names)
    copy_beside(source, made)
    manifest = ModelManifest.read(source)
    manifest.derived(kind="OnnxModel", step="export_onnx", digest="0" * 64, details={}).write(made)
    return made
