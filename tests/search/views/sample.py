"""Studies made by hand: none, one, three and sixty trials; one, two and three objectives; long and hostile names."""

import math

from compress.search.schema import FieldEntry, ObjectiveEntry, PickEntry, SearchReport, TrialEntry

SCRIPT = "</script><script>alert('trial')</script>"
OBJECTIVES = [
    ObjectiveEntry(name="accuracy", direction="maximize"),
    ObjectiveEntry(name="size_mb", direction="minimize"),
    ObjectiveEntry(name="latency_ms", direction="minimize"),
]
FIELDS = [
    FieldEntry(name="student.student.layers", choices=[2, 3, 4], written=3),
    FieldEntry(name="prune.method.keep", low=256, high=1536, step=128, written=None),
    FieldEntry(name="student.training.learning_rate", low=1e-5, high=1e-3, log=True, written=1e-4),
    FieldEntry(name="int8.scheme.kind", choices=["dynamic_int8", "weight_only"], written="dynamic_int8"),
]
YAML = "name: sentiment_search\nseed: 17\nsearch:\n  trials: 60   # <b>all</b>\n"


def trial(number: int, **changes: object) -> TrialEntry:
    """A complete trial whose figures follow its values, so that small ones are worse and smaller."""
    layers, keep = (2, 3, 4)[number % 3], 256 + 128 * (number * 5 % 11)
    rate = 10 ** (-5 + (number * 7 % 20) / 10)
    kind = ("dynamic_int8", "weight_only")[number % 4 == 3]
    size = round(2.1 + layers * 0.9 + keep / 700 + (1.3 if kind == "weight_only" else 0.0), 4)
    accuracy = round(0.745 + 0.02 * math.log(size) - 0.006 * abs(math.log10(rate) + 4) - 0.0007 * (number % 7), 4)
    latency = round(0.4 + layers * 0.31 + keep / 2900, 4)
    said = {
        "number": number,
        "state": "complete",
        "fields": {
            "student.student.layers": layers,
            "prune.method.keep": keep,
            "student.training.learning_rate": rate,
            "int8.scheme.kind": kind,
        },
        "values": [accuracy, size, latency],
        "figures": {
            "accuracy": accuracy,
            "size_mb": size,
            "latency_ms": latency,
            "accuracy_drop": round(0.795 - accuracy, 4),
            "f1_macro": round(accuracy - 0.013, 4),
            "ece": round(0.05 - 0.0004 * (number % 9), 4),
        },
        "feasible": accuracy >= 0.77,
        "broken": [] if accuracy >= 0.77 else ["accuracy >= 0.77"],
        "seconds": 41.0 + 3 * number,
        "reused": ["texts", "delta", "teacher"] + (["words"] if number % 2 else []),
        "made": ["student", "onnx", "int8"] + ([] if number % 2 else ["words"]),
        "worker": "edge-1",
        "started": "2026-11-21T21:00:00+00:00",
    }
    return TrialEntry.model_validate({**said, **changes})


def study(trials: int = 60, *, objectives: int = 2, pick: bool = False, **changes: object) -> SearchReport:
    """A study with every state in it once there are enough trials."""
    wanted = OBJECTIVES[:objectives]
    made = [cut(one, objectives) for one in [trial(number) for number in range(trials)]]
    if trials:
        made[0] = made[0].model_copy(update={"as_written": True})
    if trials > 10:
        gate = "student: max_drop.accuracy measured 0.0412, limit 0.03"
        stopped = {"state": "pruned", "values": None, "feasible": False, "broken": [], "failed_gate": gate}
        made[4] = made[4].model_copy(update={**stopped, "figures": {"accuracy": 0.7531, "size_mb": 71.3}})
        failed = {"state": "failed", "values": None, "figures": {}, "feasible": False, "broken": [], "counted": False}
        made[5] = made[5].model_copy(update={**failed, "reason": f"Stage 'student' stopped: {SCRIPT} is not a number."})
        made[7] = made[7].model_copy(
            update={
                "copied_from": 3,
                "counted": False,
                **{name: getattr(made[3], name) for name in ("fields", "values", "figures")},
            }
        )
        made[9] = made[9].model_copy(update={"state": "running", "values": None, "figures": {}, "feasible": False})
    front = front_of(made, wanted)
    importances = {
        one.name: {field.name: share for field, share in zip(FIELDS, (0.12, 0.61, 0.24, 0.03), strict=True)}
        for one in wanted
    }
    said = {
        "pipeline": "sentiment_search",
        "seed": 17,
        "storage": "study.db",
        "wanted": max(trials, 1),
        "seconds": sum(one.seconds for one in made),
        "fields": FIELDS,
        "objectives": wanted,
        "constraints": ["accuracy >= 0.77", "size_mb <= 900"],
        "reference": "teacher",
        "trials": made,
        "front": front,
        "importances": importances if trials > 10 else {},
        "pick": picked(made, front[0]) if pick else None,
        "environment": {"processor": "AMD EPYC", "cores": 2},
        "warnings": ["The validation split has 3,720 rows."] if trials > 10 else [],
        "configuration": YAML,
    }
    return SearchReport.model_validate({**said, **changes})


def cut(one: TrialEntry, objectives: int) -> TrialEntry:
    return one.model_copy(update={"values": one.values[:objectives] if one.values else None})


def front_of(trials: list[TrialEntry], objectives: list[ObjectiveEntry]) -> list[int]:
    """By brute force."""
    able = [one for one in trials if one.state == "complete" and one.feasible and one.copied_from is None]

    def worth(one):
        signs = [1 if objective.direction == "maximize" else -1 for objective in objectives]
        return [sign * value for sign, value in zip(signs, one.values, strict=True)]

    def beats(one, other):
        return all(a >= b for a, b in zip(worth(one), worth(other), strict=True)) and worth(one) != worth(other)

    front = [one for one in able if not any(beats(other, one) for other in able)]
    return [one.number for one in sorted(front, key=lambda one: -worth(one)[0])]


def picked(trials: list[TrialEntry], number: int) -> PickEntry:
    figures = next(one.figures for one in trials if one.number == number)
    return PickEntry(
        trial=number,
        rule="accuracy_drop <= 0.03, min size_mb",
        figures={name: round(value * 0.997, 4) for name, value in figures.items()},
        passed=True,
        run="runs/sentiment_search_best",
        written="pipelines/best.yaml",
    )


def long_names(trials: int = 60) -> SearchReport:
    """Names as long as they may be, lists as values, and markup where text is expected."""
    base = study(trials, objectives=3, pick=True)
    stage = "quantized_student_with_a_very_long_and_descriptive_name_indeed"
    names = {one.name: f"{stage}.scheme.calibrate_ranges.{one.name}" for one in FIELDS}
    figures = {one.name: f"{stage}.{one.name}" for one in OBJECTIVES}

    def renamed(one: TrialEntry) -> TrialEntry:
        fields = {names[name]: value for name, value in one.fields.items()}
        fields[names["int8.scheme.kind"]] = f"<b>{'long_value_' * 6}{one.number % 2}</b>"
        measured = {figures.get(name, name): value for name, value in one.figures.items()}
        worker = f"edge-box-in-the-cellar-{one.number % 2}.{SCRIPT}"
        return one.model_copy(update={"fields": fields, "figures": measured, "worker": worker})

    return base.model_copy(
        update={
            "pipeline": "a_search_" * 7,
            "fields": [one.model_copy(update={"name": names[one.name]}) for one in base.fields],
            "objectives": [one.model_copy(update={"name": figures[one.name]}) for one in base.objectives],
            "trials": [renamed(one) for one in base.trials],
            "constraints": [f"{figures['accuracy']} >= 0.77"],
            "importances": {
                figures[name]: {names[field]: share for field, share in shares.items()}
                for name, shares in base.importances.items()
            },
        }
    )


STUDIES = {
    "none": lambda: study(0),
    "one": lambda: study(1),
    "three": lambda: study(3),
    "sixty": lambda: study(60, pick=True),
    "single": lambda: study(30, objectives=1),
    "triple": lambda: study(60, objectives=3, pick=True),
    "long": long_names,
}
