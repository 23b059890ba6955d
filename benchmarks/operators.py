"""Where the time of two int8 graphs of one model goes, operator by operator: ONNX Runtime's and OpenVINO's.

    PYTHON benchmarks/operators.py --onnx int8/model.onnx --openvino openvino/int8/model.xml [--shapes 1x32 1x128 8x64]

PYTHON has onnxruntime and openvino (`peers.py` makes such an environment and such a model). One thread, so that the
parts add up; random token ids; medians over the calls, summed by kind of operator, in microseconds. Prints Markdown.
"""

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino

WARM, CALLS = 20, 100
Times = dict[str, float]  # operator -> microseconds a call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnx", type=Path, required=True)
    parser.add_argument("--openvino", type=Path, required=True)
    parser.add_argument("--shapes", nargs="+", default=["1x32", "1x128", "8x64"], help="batch x tokens")
    options = parser.parse_args()
    for shape in options.shapes:
        batch, length = map(int, shape.split("x"))
        for name, times in (
            ("ONNX Runtime", onnx_times(options.onnx, batch, length)),
            ("OpenVINO", openvino_times(options.openvino, batch, length)),
        ):
            print(f"\n{shape}, {name}: {sum(times.values()):.0f} µs\n\n| operator | µs | share |\n|---|---|---|")
            for operator, spent in sorted(times.items(), key=lambda one: -one[1]):
                print(f"| {operator} | {spent:.0f} | {spent / sum(times.values()):.1%} |")


def feed(names: list[str], batch: int, length: int) -> dict[str, Any]:
    """One batch without padding."""
    ids = np.random.default_rng(17).integers(5, 1000, (batch, length))
    known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return {name: known[name] for name in names}


def onnx_times(file: Path, batch: int, length: int) -> Times:
    """From ONNX Runtime's own profile."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling = 1, True
    options.profile_file_prefix = str(Path(tempfile.mkdtemp()) / "profile")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    inputs = feed([value.name for value in session.get_inputs()], batch, length)
    for _ in range(WARM + CALLS):
        session.run(None, inputs)
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    by_node = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            by_node[event["args"]["op_name"], event["name"]].append(event["dur"])
    return summed({node: durations[WARM:] for node, durations in by_node.items()})


def openvino_times(file: Path, batch: int, length: int) -> Times:
    """From OpenVINO's performance counters; the kernel's name tells what it computes in."""
    hints = {"PERF_COUNT": True, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(str(file), "CPU", hints)
    inputs = feed([value.get_any_name() for value in compiled.inputs], batch, length)
    request, by_node = compiled.create_infer_request(), defaultdict(list)
    for call in range(WARM + CALLS):
        request.infer(inputs)
        for node in request.profiling_info if call >= WARM else ():
            kind = f"{node.node_type} ({node.exec_type})"
            by_node[kind, node.node_name].append(node.real_time.total_seconds() * 1e6)
    return summed(by_node)


def summed(by_node: dict[tuple[str, str], list[float]]) -> Times:
    """Each node's median call, by operator; what takes no time is left out."""
    times: Times = defaultdict(float)
    for (operator, _), durations in by_node.items():
        times[operator] += statistics.median(durations)
    return {operator: spent for operator, spent in times.items() if spent >= 1}


if __name__ == "__main__":
    main()
