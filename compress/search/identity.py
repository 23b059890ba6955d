"""What a study is about, kept in it: the space, the figures sought, and the pipeline around the fields that vary.

The same command goes on with a study only if all of that is the same; how many trials, and who measures latencies, may
change. Relative paths count as they were written, so that workers may have the project in different folders.
"""

import json
from typing import Any

from optuna.study import Study

from compress.chain.key import difference
from compress.errors import ConfigurationError
from compress.pipeline.search_space import Search
from compress.pipeline.yaml.file import LoadedPipeline
from compress.pipeline.yaml.nodes import Place, node_of, plain
from compress.pipeline.yaml.overrides import with_value
from compress.pipeline.yaml.varying import without_search

SAID = "compress_search"
FORMAT = 1


def said_by(loaded: LoadedPipeline, search: Search) -> dict[str, Any]:
    """Everything that decides what a trial's values mean, as JSON."""
    root = without_search(loaded.root)
    for path in sorted(search.fields, key=lambda path: path.count(".")):
        root, _ = with_value(root, path, node_of(None, Place(path)))
    pipeline = plain(root)
    said = {
        "format": FORMAT,
        "search": search.model_dump(mode="json", include={"fields", "objectives", "constraints"}),
        "seed": loaded.spec.seed,
        "measure": pipeline.get("measure"),
        "stages": {stage["name"]: stage for stage in pipeline["stages"]},
        "stages_order": [stage["name"] for stage in pipeline["stages"]],
    }
    known: dict[str, Any] = json.loads(json.dumps(said))
    return known


def claim(study: Study, said: dict[str, Any], *, where: str) -> None:
    """Write into a new study what it is about.

    Raises: ConfigurationError when it is about something else already; `where` it is kept, for people.
    """
    known = study.user_attrs.get(SAID)
    if known is None and not study.get_trials(deepcopy=False) and _seeks(study, said):
        study.set_user_attr(SAID, said)
        return
    advice = "go on with what it was made for, begin another with --study NAME, or keep it elsewhere with --storage"
    if known is None:
        raise ConfigurationError(
            f"the study '{study.study_name}' in {where} was not made by `compress search`: {advice}."
        )
    changed = difference(known, said)
    if changed is not None:
        raise ConfigurationError(
            f"the study '{study.study_name}' in {where} was made for another {_what(changed)}: {changed}; {advice}. "
            "Its trials are kept."
        )


def _seeks(study: Study, said: dict[str, Any]) -> bool:
    """Whether the study has the directions of the search: an empty one that somebody else made may have others."""
    wanted = ["minimize" if one["maximize"] is None else "maximize" for one in said["search"]["objectives"]]
    return [direction.name.lower() for direction in study.directions] == wanted


def _what(changed: str) -> str:
    return "search" if changed.startswith("search.") else "pipeline"
