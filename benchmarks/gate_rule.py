"""What the gate rule lets through: simulated test splits, a known true drop, the very interval and verdict of a run.

    python benchmarks/gate_rule.py                    # the tables of docs/gates.md
    python benchmarks/gate_rule.py --trials 500       # quicker and coarser

Each trial draws a test split of a given size for two models that disagree at a given rate (rows that exactly one of
them has right) and whose accuracies truly differ by a given drop; then `compress.evaluation` makes the interval of the
drop and `compress.chain.gates` judges `max_drop: {accuracy: 0.01}`.
"""

import argparse
from collections import Counter
from collections.abc import Callable

import numpy as np

from compress.chain.gates import Figure, judge
from compress.evaluation.bootstrap import RESAMPLES, resample_shares
from compress.evaluation.intervals import percentile
from compress.evaluation.power import half_width_of_drop, rows_needed

LIMIT = 0.01
SIZES = (100, 200, 425, 1000, 2000, 5000, 10000)
TIMES_LIMIT = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
OUTCOMES = ("pass", "within_noise", "fail")

Sampler = Callable[[int, int, int], np.ndarray]
"""(rows, only this model right, only the other right) to resampled drops."""


def as_in_a_run(rows: int, only_this: int, only_other: int) -> np.ndarray:
    this, other = resample_shares(rows - only_this - only_other, only_this, only_other, 0, seed=17)
    return other - this


def without_made_up_rows(rows: int, only_this: int, only_other: int) -> np.ndarray:
    """The plain percentile bootstrap, for comparison."""
    cells = np.array([only_this, only_other, rows - only_this - only_other]) / rows
    drawn = np.random.default_rng(17).multinomial(rows, cells, size=RESAMPLES)
    return (drawn[:, 1] - drawn[:, 0]) / rows


def simulate(
    rows: int, drop: float, *, disagreement: float, trials: int, seed: int, sampler: Sampler = as_in_a_run
) -> dict[str, float]:
    """Share of each verdict on `max_drop: {accuracy: LIMIT}` for a true `drop`."""
    wins = ((disagreement - drop) / 2, (disagreement + drop) / 2)  # only this model, only the other
    drawn = np.random.default_rng(seed).multinomial(rows, (*wins, 1 - disagreement), size=trials)
    verdicts: Counter[str] = Counter()
    for (only_this, only_other), times in Counter(map(tuple, drawn[:, :2].tolist())).items():
        value = (only_other - only_this) / rows
        figure = Figure(value, percentile(sampler(rows, only_this, only_other), value))
        verdicts[judge("max_drop", "accuracy", figure, LIMIT).verdict] += times
    return {outcome: verdicts[outcome] / trials for outcome in OUTCOMES}


def table(disagreement: float, trials: int, *, sampler: Sampler) -> None:
    """A Markdown table: pass / within_noise / fail in percent, by rows and true drop."""
    times = [one for one in TIMES_LIMIT if one * LIMIT < disagreement]
    print("| rows | half-width | " + " | ".join(f"drop {one:g} × limit" for one in times) + " |")
    print("|---" * (len(times) + 2) + "|")
    for rows in SIZES:
        shares = [
            simulate(rows, one * LIMIT, disagreement=disagreement, trials=trials, seed=rows, sampler=sampler)
            for one in times
        ]
        cells = " | ".join(" / ".join(f"{100 * share[outcome]:.1f}" for outcome in OUTCOMES) for share in shares)
        print(f"| {rows} | {half_width_of_drop(rows, disagreement=disagreement):.4f} | {cells} |", flush=True)


def advice(limits: tuple[float, ...], rates: tuple[float, ...]) -> None:
    """A Markdown table of `rows_needed`."""
    print("| limit | " + " | ".join(f"{100 * rate:g}% disagreement" for rate in rates) + " |")
    print("|---" * (len(rates) + 1) + "|")
    for limit in limits:
        print(f"| {limit:g} | " + " | ".join(str(rows_needed(limit, disagreement=rate)) for rate in rates) + " |")


def lossless(rates: tuple[float, ...], trials: int) -> None:
    """A Markdown table: how often a model without loss passes with a multiple of `rows_needed`."""
    multiples = (1, 2, 3)
    print("| disagreement | " + " | ".join(f"{one} × rows_needed" for one in multiples) + " |")
    print("|---" * (len(multiples) + 1) + "|")
    for rate in rates:
        sizes = [one * rows_needed(LIMIT, disagreement=rate) for one in multiples]
        passed = [simulate(rows, 0.0, disagreement=rate, trials=trials, seed=rows)["pass"] for rows in sizes]
        cells = [f"{100 * share:.1f}% of {rows}" for rows, share in zip(sizes, passed, strict=True)]
        print(f"| {100 * rate:g}% | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    print(f"max_drop.accuracy limit {LIMIT}, {trials} splits a cell: % pass / within_noise / fail")
    for rate in (0.04, 0.02, 0.08):
        print(f"\n### {100 * rate:g}% of rows are right for exactly one model\n")
        table(rate, trials, sampler=as_in_a_run)
    print("\n### The plain bootstrap, without made-up rows, 4%\n")
    table(0.04, trials, sampler=without_made_up_rows)
    print("\n### rows_needed\n")
    advice((0.005, 0.01, 0.02, 0.03, 0.05), (0.02, 0.04, 0.08))
    print("\n### A model without loss passes\n")
    lossless((0.02, 0.04, 0.08), trials)


if __name__ == "__main__":
    main()
