"""Whether a set's graph answers as peft does: each adapter by itself, and rows of all adapters in one batch."""

from collections.abc import Mapping, Sequence

import numpy as np

from compress.adapters.tables import Tables
from compress.errors import ExportError
from compress.exporting.parity import check_parity, tolerated
from compress.inference.adapter_predictor import AdapterSession, SlotPredictor
from compress.inference.predictor import LOGITS, Array, Predictor
from compress.inference.text_encoder import Text, TextEncoder

TOLERANCE = 2e-5  # of a logit, in float32


def check_against_peft(
    session: AdapterSession,
    tables: Tables,
    references: Mapping[int, Predictor],
    encoder: TextEncoder,
    texts: Sequence[Text],
    *,
    tolerance: float = TOLERANCE,
) -> float:
    """The largest difference of a logit: every text by every adapter alone, padded, in a batch, and all mixed.

    Args:
        session: the set's graph, of a float base.
        tables: hold the adapters.
        references: by slot, the adapter on its base as peft runs it.
        encoder: of the base.
        texts: to answer.
        tolerance: of a logit.

    Raises: ExportError when a difference is larger.
    """
    alone = [encoder.encode([text]) for text in texts]
    wanted = {
        slot: np.concatenate([reference.predict(batch)[LOGITS] for batch in alone])
        for slot, reference in references.items()
    }
    apart = [
        check_parity(
            reference, SlotPredictor(session, tables, slot=slot, labels=wanted[slot].shape[1]), encoder, texts,
            tolerance=tolerance,
        ).largest_difference
        for slot, reference in references.items()
    ]  # fmt: skip
    asked = [(row, slot) for row in range(len(texts)) for slot in references]
    batch = encoder.encode([texts[row] for row, _ in asked])
    answers = session.predict(batch, np.array([slot for _, slot in asked], dtype=np.int64), tables)
    mixed = [
        _difference(row, slot, wanted[slot][row], answer, tolerance)
        for (row, slot), answer in zip(asked, answers, strict=True)
    ]
    return max(*apart, *mixed)


def _difference(row: int, slot: int, wanted: Array, answer: Array, tolerance: float) -> float:
    """Of the labels that the adapter has."""
    difference = float(np.abs(wanted - answer[: len(wanted)]).max())
    if not difference <= (most := tolerated(tolerance, wanted)):
        raise ExportError(
            f"row {row} by the adapter in slot {slot}, beside other adapters: the graph's logits are {difference:.2g} "
            f"from peft's, more than {most:g}. The graph is not the model: make the set again."
        )
    return difference
