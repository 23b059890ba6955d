"""The proof of a set: its adapters answer as peft runs their deltas, and a row as it does beside any others."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.adapters.packing import pack
from compress.adapters.set_folder import AdapterSetFolder
from compress.adapters.tables import Tables
from compress.chain.artifacts import LoraDelta
from compress.chain.step import Workspace
from compress.errors import ExportError

if TYPE_CHECKING:
    from compress.inference.text_encoder import Text

ROWS = 8  # of each adapter, spread over their lengths
TOGETHER = 4  # adapters: each is a PyTorch model of its own while it is compared
THREADS = (1, 2)  # which code onnxruntime runs depends on how many there are
TOLERANCE = 1e-4  # of a logit; float32 graphs of 12 layers differ by about 1e-6


def prove(
    made: Path,
    deltas: Mapping[str, LoraDelta],
    texts: "Mapping[str, Sequence[Text]]",
    workspace: Workspace,
    *,
    is_float: bool,
    ort_lora: bool,
) -> dict[str, Any]:
    """What was found, for the manifest.

    Args:
        made: the folder of the set.
        deltas: by name.
        texts: real ones of each.
        workspace: knows where the deltas' base lies.
        is_float: the graph has to give PyTorch's answers; a quantized one is judged by its accuracy alone.
        ort_lora: whether the set also has the graph of ONNX Runtime's own adapters.

    Raises: ExportError when a float set answers otherwise than one of its deltas, or ONNX Runtime's own adapters than
        the set.
    """
    names = list(deltas)
    some = [names[first : first + TOGETHER] for first in range(0, len(names), TOGETHER)]
    beside = max(_batch_difference(made, deltas, some[0], texts, threads=threads) for threads in THREADS)
    found: dict[str, Any] = {"batch_invariance": {"same": beside == 0, "largest_difference": beside}}
    if beside > 0 and not is_float:
        workspace.progress.warn(
            f"on this machine the answer to a text depends a little on the rows beside it: logits by {beside:.1g}."
        )
    if is_float:
        largest = max(_peft_difference(made, deltas, each, texts, workspace) for each in some)
        workspace.progress.say(f"{len(deltas)} adapters, alone and mixed: logits within {largest:.1g} of PyTorch's.")
        found["parity"] = {"rows": ROWS * len(deltas), "largest_difference": largest}
    if ort_lora:
        apart = max(_ort_lora_difference(made, deltas, each, texts, is_float=is_float) for each in some)
        found["ort_lora"] = {"largest_difference": apart}
    return found


def _batch_difference(
    made: Path,
    deltas: Mapping[str, LoraDelta],
    names: Sequence[str],
    texts: "Mapping[str, Sequence[Text]]",
    *,
    threads: int,
) -> float:
    """How far a row's logits move when it is asked beside other texts and other adapters; 0: not by a bit."""
    from compress.exporting.adapters.invariance import largest_batch_difference
    from compress.inference.adapter_predictor import open_adapter_session

    encoder, asked = _asked(made, deltas, names, texts)
    session, slots = open_adapter_session(made, threads=threads), range(1, len(names) + 1)
    return largest_batch_difference(session, _tables(made, names), encoder, asked, slots=slots)


def _peft_difference(
    made: Path,
    deltas: Mapping[str, LoraDelta],
    names: Sequence[str],
    texts: "Mapping[str, Sequence[Text]]",
    workspace: Workspace,
) -> float:
    """How far the logits of some adapters, alone and mixed, are from PyTorch's."""
    from compress.exporting.adapters.parity import check_against_peft
    from compress.inference.adapter_predictor import open_adapter_session
    from compress.inference.torch_predictor import open_torch

    references = {
        slot: open_torch(
            deltas[name].path, threads=THREADS[0], base_folder=workspace.base_of(deltas[name]),
            as_trained=False,  # a set has the base in full precision, whatever the delta was trained on
        )
        for slot, name in enumerate(names, start=1)
    }  # fmt: skip
    encoder, asked = _asked(made, deltas, names, texts)
    session = open_adapter_session(made, threads=THREADS[0])
    return check_against_peft(session, _tables(made, names), references, encoder, asked, tolerance=TOLERANCE)


def _ort_lora_difference(
    made: Path,
    deltas: Mapping[str, LoraDelta],
    names: Sequence[str],
    texts: "Mapping[str, Sequence[Text]]",
    *,
    is_float: bool,
) -> float:
    """How far ONNX Runtime's own adapters answer from the set's; it leaves out silently what does not fit."""
    from compress.inference.adapter_predictor import SlotPredictor, open_adapter_session
    from compress.inference.ort_lora_predictor import open_ort_lora
    from compress.inference.predictor import LOGITS

    encoder, asked = _asked(made, deltas, names, texts)
    session, tables, batch = open_adapter_session(made, threads=THREADS[0]), _tables(made, names), encoder.encode(asked)
    largest = 0.0
    for slot, name in enumerate(names, start=1):
        ours = SlotPredictor(session, tables, slot=slot, labels=len(deltas[name].manifest.labels)).predict(batch)
        theirs = open_ort_lora(made, name, threads=THREADS[0]).predict(batch)
        difference = float(abs(ours[LOGITS] - theirs[LOGITS]).max())
        if not difference <= (TOLERANCE if is_float else float("inf")):  # rounding to 8 bits may go either way
            raise ExportError(
                f"adapter '{name}' run by onnxruntime's LoraAdapter answers {difference:.2g} from the set's own graph: "
                "leave `ort_lora` out, or use the onnxruntime of constraints.txt."
            )
        largest = max(largest, difference)
    return largest


def _tables(made: Path, names: Sequence[str]) -> Tables:
    """The adapters in slots from 1 on."""
    folder = AdapterSetFolder(made)
    tables = Tables(folder.set_file, len(names) + 1)
    for slot, name in enumerate(names, start=1):
        tables.write(slot, pack(folder.read(name, folder.latest(name)), folder.set_file))
    return tables


def _asked(
    made: Path, deltas: Mapping[str, LoraDelta], names: Sequence[str], texts: "Mapping[str, Sequence[Text]]"
) -> "tuple[Any, list[Text]]":
    """The set's encoder, cutting where the shortest of the adapters does, and real texts of each of them."""
    from compress.inference.text_encoder import TextEncoder

    length = min(deltas[name].manifest.max_length for name in names)
    encoder = TextEncoder.load(made / "base", max_length=length)
    return encoder, list(_spread(encoder, [texts[name] for name in names]))


def _spread(encoder: Any, of_each: "Sequence[Sequence[Text]]") -> "Iterator[Text]":
    from compress.exporting.parity import spread_over_lengths

    for texts in of_each:
        yield from (texts[row] for row in spread_over_lengths(encoder.lengths(texts), ROWS))
