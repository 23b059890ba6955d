"""The model that a set's adapters are put on: exported where it is no graph yet, quantized where that was asked.

Knows artifacts; the graph of a set is made by `compress.exporting.adapters`.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.chain.artifacts import Checkpoint, LoraDelta, OnnxModel
from compress.chain.manifest import ModelManifest
from compress.chain.step import Workspace
from compress.errors import AdapterError
from compress.steps.base_model import pretrained
from compress.steps.quantization.given import Given
from compress.steps.quantize import Scheme

if TYPE_CHECKING:
    from compress.inference.text_encoder import Text

GRAPH = "model.onnx"


@dataclass(frozen=True)
class SetBase:
    """A graph and the PyTorch model that it was exported from."""

    graph: Path
    """A folder with `model.onnx`, `config.json` and the tokenizer."""
    checkpoint: Path
    """The folder of the model that `graph` was exported from."""
    title: str
    """How people call the pretrained model at the bottom of it: never an absolute path."""
    own: ModelManifest | None
    """Of the base stage: its head answers for that task; None: the base has no head of its own."""
    scheme: dict[str, Any] | None
    """How it is quantized; None: float."""
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def prepared_base(
    base: Checkpoint | OnnxModel | None,
    deltas: Sequence[LoraDelta],
    workspace: Workspace,
    *,
    scheme: Scheme | None,
    texts: "Sequence[Text]",
) -> Iterator[SetBase]:
    """The base for as long as the block lasts: what is made for it lies in a temporary folder.

    Args:
        base: the stage's model; None: what the deltas were trained on, without a head of its own.
        deltas: all of the set.
        workspace: of the step.
        scheme: how a float base is quantized.
        texts: real ones, to prove the export with.

    Raises: AdapterError when the deltas were trained on another model than `base`.
    """
    if base is not None:
        check_trained_on(base, deltas)
    with tempfile.TemporaryDirectory(dir=workspace.out) as scratch:
        title = pretrained(deltas[0].manifest, workspace.base_of(deltas[0]))["base"]
        if isinstance(base, OnnxModel):
            check_reads_pairs(base, deltas, workspace)
            found = _exported_before(base, workspace, title)
        else:
            found = _exported(base, deltas, workspace, Path(scratch), texts, title)
        yield found if scheme is None else _quantized(found, scheme, Path(scratch), workspace)


def check_trained_on(base: Checkpoint | OnnxModel, deltas: Sequence[LoraDelta]) -> None:
    """Raises: AdapterError when a delta was trained on another model than this one."""
    facts = base.manifest
    known = {base.digest, facts.base_digest, *(ancestor.digest for ancestor in facts.lineage)}
    for delta in deltas:
        if delta.manifest.base_digest not in known:
            raise AdapterError(
                f"the delta {delta.path.name[:12]} was trained on base {delta.manifest.base_digest[:12]}, "
                f"but the base stage's model comes from {facts.base_digest[:12]} ({facts.base}): leave base out, or "
                "train the delta on that model."
            )


def check_reads_pairs(base: OnnxModel, deltas: Sequence[LoraDelta], workspace: Workspace) -> None:
    """Raises: AdapterError when a delta reads pairs of texts and the graph, made for single ones, no token types."""
    import onnx

    from compress.inference.text_encoder import read_json

    graph = onnx.load(base.path / GRAPH, load_external_data=False).graph
    types = read_json(base.path / "config.json").get("type_vocab_size") or 0
    if types < 2 or any(value.name == "token_type_ids" for value in graph.input):
        return
    for delta in deltas:
        if workspace.dataset_of(delta).manifest.text_columns > 1:
            raise AdapterError(
                f"the delta {delta.path.name[:12]} reads pairs of texts, but the base stage's graph was made for "
                "single ones and cannot tell the two apart: leave base out, or export it with `graph: plain`."
            )


def check_one_base(deltas: dict[str, LoraDelta]) -> None:
    """Raises: AdapterError when two deltas were trained on different models."""
    first, *others = deltas
    wanted = deltas[first].manifest
    for name in others:
        found = deltas[name].manifest
        if found.base_digest != wanted.base_digest:
            raise AdapterError(
                f"adapter '{name}' was trained on base {found.base_digest[:12]} ({found.base}), '{first}' on "
                f"{wanted.base_digest[:12]} ({wanted.base}): a set has one base, so train them on the same one."
            )


def _exported_before(base: OnnxModel, workspace: Workspace, title: str) -> SetBase:
    facts = base.manifest
    source = workspace.checkpoint_of(base)
    return SetBase(base.path, source.path, title, facts, facts.details.get("scheme"), {"base": facts.details})


def _exported(
    base: Checkpoint | None,
    deltas: Sequence[LoraDelta],
    workspace: Workspace,
    scratch: Path,
    texts: "Sequence[Text]",
    title: str,
) -> SetBase:
    """As `export_onnx` with `graph: lean` does it; token types stay, for adapters that read pairs."""
    from compress.exporting.checkpoint import export_checkpoint

    checkpoint = base.path if base is not None else _with_any_head(deltas[0], workspace, scratch / "checkpoint")
    length = max(delta.manifest.max_length for delta in deltas)
    made = scratch / "exported"
    made.mkdir()
    found = export_checkpoint(checkpoint, made, texts=texts, max_length=length, lean=True)
    if "not_lean_because" in found["graph"]:
        workspace.progress.warn(f"the base's graph stays plain: {found['graph']['not_lean_because']}")
    own = base.manifest if base is not None else None
    return SetBase(made, checkpoint, title, own, None, {"base": found})


def _with_any_head(delta: LoraDelta, workspace: Workspace, folder: Path) -> Path:
    """The pretrained base as a classifier: a head is drawn, so that it has the places where adapters put theirs."""
    from compress.models.load import load_base, load_tokenizer
    from compress.models.save import save_checkpoint

    facts, pretrained = delta.manifest, workspace.base_of(delta)
    model = load_base(pretrained, task=facts.task, labels=facts.labels, seed=workspace.seed)
    folder.mkdir()
    save_checkpoint(model, load_tokenizer(pretrained), folder, max_length=facts.max_length)
    return folder


def _quantized(base: SetBase, scheme: Scheme, scratch: Path, workspace: Workspace) -> SetBase:
    from compress.exporting.folder import copy_beside

    made = scratch / "quantized"
    made.mkdir()
    given = Given(workspace, OnnxModel(base.graph, ""))
    found = scheme.apply(base.graph / GRAPH, made / GRAPH, given)
    copy_beside(base.graph, made)
    said = scheme.model_dump()
    details = {**base.details, "scheme": said, "quantized": asdict(found)}
    return replace(base, graph=made, scheme=said, details=details)
