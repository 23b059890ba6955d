"""The end of a search: choose a trial, write its plain pipeline, and run it on the test rows."""

import os
from pathlib import Path

from compress.pipeline.figure_rules import Choosing
from compress.search.begun import Begun, published, report_now
from compress.search.best import run_best
from compress.search.picking import NoTrialFitsError, choose, said
from compress.search.plain import plain_pipeline, write_plain
from compress.search.records import keep_pick, kept_pick
from compress.search.schema import TrialEntry


def choose_and_prove(begun: Begun, rule: Choosing, target: Path | None, *, proves: bool) -> None:
    """Choose a trial, and with `proves` write it and measure it on the test rows.

    Without, only see that there is one to choose: the test rows are left for the one that somebody says how to choose.

    Raises: NoTrialFitsError with the report, which is published all the same.
    """
    report = report_now(begun)
    try:
        trial = choose(report, rule)
    except NoTrialFitsError as error:
        error.report = published(begun)
        raise
    if proves:
        _prove(begun, trial, said(report, rule), target)


def _prove(begun: Begun, trial: TrialEntry, said_rule: str, target: Path | None) -> None:
    """Write the plain pipeline and run it on the test rows."""
    loaded = begun.about.loaded
    _warn_of_second_look(begun, trial, said_rule)
    plain = plain_pipeline(
        loaded,
        trial.fields,
        folder=target.parent.absolute() if target is not None else loaded.folder,
        about=_heading(begun, trial, said_rule),
        environ=dict(os.environ),
    )
    if target is not None:
        write_plain(plain, target)
    begun.recording.say(f"trial {trial.number} is chosen ({said_rule}): measuring it on the test rows.")
    pick = run_best(
        plain, trial, rule=said_rule, folder=begun.folder, store=begun.store, progress=begun.recording, written=target
    )
    keep_pick(begun.study, pick)


def _warn_of_second_look(begun: Begun, trial: TrialEntry, rule: str) -> None:
    """The test rows were read for another trial before: choosing again by what they said would spoil them."""
    earlier = kept_pick(begun.study)
    if earlier is not None and earlier.trial != trial.number:
        begun.recording.warn(
            f"the test rows were read for trial {earlier.trial} ({earlier.rule}) before and are read again for trial "
            f"{trial.number} ({rule}): figures on them are fair only to a choice that was made without them."
        )


def _heading(begun: Begun, trial: TrialEntry, rule: str) -> list[str]:
    """What the written file says of where it is from."""
    known = ", ".join(f"{name} {trial.figures[name]:.4g}" for name in begun.about.names if name in trial.figures)
    return [
        f"Trial {trial.number} of the study '{begun.study.study_name}' over {begun.about.loaded.path.name}.",
        f"Chosen by: {rule}.",
        f"On the validation rows: {known}. `compress run` finds its stages in the store of the search.",
    ]
