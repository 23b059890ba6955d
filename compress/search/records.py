"""What a study keeps of each trial, and the trial as the report shows it: Optuna's trials to ours and back."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from compress.pipeline.search_space import Search
from compress.search.schema import PickEntry, State, TrialEntry
from compress.search.space import Values, same_values, values_of
from compress.search.trial import TrialResult

OUTCOME, WORKER, STARTED, WRITTEN, RETRIES = "outcome", "worker", "started", "as_written", "retries"
MEASURER = "measured_by"
PICK = "compress_pick"
COPIED, LOST = "copied_from", "lost"
INVALID = 10.0
"""How far from feasible values are that make no pipeline, so that the sampler keeps away from them."""


def told(study: Study, trial: Trial, result: TrialResult, *, names: list[str], limits: Mapping[str, Any]) -> None:
    """Keep the result and tell Optuna; a trial that waits for its latency stays open."""
    trial.set_user_attr(OUTCOME, {**asdict(result), COPIED: None})
    if result.state != "waiting":
        _tell(study, trial, result, names, limits)


def copied(study: Study, trial: Trial, earlier: FrozenTrial, *, names: list[str], limits: Mapping[str, Any]) -> None:
    """Keep and tell the result of an earlier trial with the same values; nothing was run.

    Of one that is still open there is no result yet: then only that it is the same one.
    """
    if earlier.state == TrialState.RUNNING:
        result = TrialResult(state="failed", reason=f"trial {earlier.number} has the same values and is still open")
    else:
        result = replace(TrialResult(**_known(earlier)), seconds=0.0, reused=[], made=[])
    trial.set_user_attr(OUTCOME, {**asdict(result), COPIED: earlier.number})
    _tell(study, trial, result, names, limits)


def lost(study: Study, trial: Trial, why: str) -> None:
    """Close a trial that was interrupted or whose worker is gone; it does not count."""
    trial.set_user_attr(OUTCOME, {**asdict(TrialResult(state="failed", reason=why)), COPIED: None, LOST: True})
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def entries(study: Study, search: Search, *, names: list[str]) -> list[TrialEntry]:
    """All trials that were begun, by number."""
    begun = [trial for trial in study.get_trials(deepcopy=False) if _begun(trial, search)]
    return [_entry(trial, search, names) for trial in begun]


def earlier_with(study: Study, search: Search, values: Values, *, before: int) -> FrozenTrial | None:
    """The first trial with the same values that is finished, if its result would be the same again, or still open."""
    wanted = same_values(values)
    for trial in study.get_trials(deepcopy=False):
        known = values_of_trial(trial, search) if trial.number < before and _stands_for_its_values(trial) else None
        if known is not None and same_values(known) == wanted:
            return trial
    return None


def counts(trial: FrozenTrial) -> bool:
    """Whether it is one of those asked for: no copy, not lost, and no failure that may not come again."""
    return trial.state not in {TrialState.FAIL, TrialState.WAITING} and not is_copy(trial)


def is_copy(trial: FrozenTrial) -> bool:
    """Whether its figures are those of an earlier trial."""
    return trial.user_attrs.get(OUTCOME, {}).get(COPIED) is not None


def was_lost(trial: FrozenTrial) -> bool:
    """Whether it was interrupted, or its worker is gone."""
    return bool(trial.user_attrs.get(OUTCOME, {}).get(LOST))


def seconds_of(trial: FrozenTrial) -> float:
    """What it took so far."""
    return float(_known(trial).get("seconds", 0.0))


def keep_pick(study: Study, pick: PickEntry) -> None:
    """Remember the choice in the study: the test rows were read for it."""
    study.set_user_attr(PICK, pick.model_dump(mode="json"))


def kept_pick(study: Study) -> PickEntry | None:
    """The latest choice."""
    kept = study.user_attrs.get(PICK)
    return PickEntry.model_validate(kept) if kept is not None else None


def values_of_trial(trial: FrozenTrial, search: Search) -> dict[str, Any] | None:
    """What stands in the file for the trial; None when it ended before anything was drawn."""
    params = drawn(trial)
    return values_of(search, params) if set(search.fields) <= set(params) else None


def drawn(trial: FrozenTrial) -> dict[str, Any]:
    """Its parameters, those too that were queued for it and that a killed worker had not taken yet."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def waits(trial: FrozenTrial) -> bool:
    """Whether all is made and only its latency is missing."""
    return trial.state == TrialState.RUNNING and trial.user_attrs.get(OUTCOME, {}).get("state") == "waiting"


def _tell(study: Study, trial: Trial, result: TrialResult, names: list[str], limits: Mapping[str, Any]) -> None:
    """Values of a complete trial; of others only how far they are from what is allowed, which the sampler reads."""
    for text, limit in limits.items():
        if limit.figure in result.figures:
            trial.set_constraint(text, limit.excess(result.figures[limit.figure]) / (abs(limit.limit) or 1.0))
    if result.beyond_gates:
        trial.set_constraint("gates", result.beyond_gates)
    if result.invalid:
        trial.set_constraint("valid", INVALID)
    if result.state == "complete":
        study.tell(trial.number, [result.figures[name] for name in names])
    else:
        learnt = result.state == "pruned" or result.invalid
        study.tell(trial.number, state=TrialState.PRUNED if learnt else TrialState.FAIL)


def _stands_for_its_values(trial: FrozenTrial) -> bool:
    """No copy; open, or finished in a way that depends on its values alone."""
    outcome = trial.user_attrs.get(OUTCOME, {})
    if outcome.get(COPIED) is not None:
        return False
    finished = trial.state in {TrialState.COMPLETE, TrialState.PRUNED} and bool(outcome)
    return finished or trial.state == TrialState.RUNNING


def _begun(trial: FrozenTrial, search: Search) -> bool:
    return trial.state != TrialState.WAITING and set(search.fields) <= set(trial.params)


def _entry(trial: FrozenTrial, search: Search, names: list[str]) -> TrialEntry:
    kept, known = trial.user_attrs, _known(trial)
    state = _state(trial)
    figures = dict(known.get("figures", {}))
    complete = state == "complete" and all(name in figures for name in names)
    broken = list(known.get("broken", []))
    return TrialEntry(
        number=trial.number,
        state=state,
        fields=values_of(search, trial.params),
        values=[figures[name] for name in names] if complete else None,
        figures=figures,
        feasible=complete and not broken,
        broken=broken,
        failed_gate=known.get("failed_gate"),
        reason=known.get("reason") or _unknown_reason(trial),
        seconds=float(known.get("seconds", 0.0)),
        reused=list(known.get("reused", [])),
        made=list(known.get("made", [])),
        copied_from=kept.get(OUTCOME, {}).get(COPIED),
        as_written=bool(kept.get(WRITTEN, False)),
        counted=counts(trial),
        worker=(kept.get(WORKER) or {}).get("name"),
        started=kept.get(STARTED),
        warnings=dict(known.get("warnings", {})),
    )


def _known(trial: FrozenTrial) -> dict[str, Any]:
    """The kept result's fields."""
    outcome = trial.user_attrs.get(OUTCOME, {})
    return {name: value for name, value in outcome.items() if name not in {COPIED, LOST}}


def _state(trial: FrozenTrial) -> State:
    """As the result says; a trial that is open and does not wait is running."""
    said = trial.user_attrs.get(OUTCOME, {}).get("state")
    if trial.state == TrialState.RUNNING:
        return "waiting" if said == "waiting" else "running"
    if said in get_args(State):
        known: State = said
        return known
    return "failed"


def _unknown_reason(trial: FrozenTrial) -> str | None:
    return "ended without a word of why" if trial.state == TrialState.FAIL and OUTCOME not in trial.user_attrs else None
