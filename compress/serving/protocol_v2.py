"""The Open Inference Protocol v2 over HTTP: health, metadata and inference; an adapter is a model of its own.

Takes and gives tensors in JSON, or in binary data as `tritonclient.http` sends them (see binary_tensors). Not
supported, and refused: shared memory, sequences, classification outputs, compressed bodies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from compress.serving.asking import Asking
from compress.serving.backend import ModelFacts
from compress.serving.binary_tensors import write_floats, write_strings
from compress.serving.classify import json_response
from compress.serving.description import version
from compress.serving.infer_request import (
    HEADER_LENGTH,
    InferRequest,
    RequestedOutput,
    parse_request,
    read_inputs,
    refuse_parameters,
    timeout_ms,
)
from compress.serving.model import check_available
from compress.serving.problems import bad_request
from compress.serving.tensors import Output, describe_inputs, describe_outputs, outputs_from, rows_from


def server_metadata(*, repository_control: bool) -> Response:
    """`GET /v2`."""
    extensions = ["binary_tensor_data", *(["model_repository"] if repository_control else [])]
    return json_response({"name": "compress", "version": version(), "extensions": extensions})


def model_metadata(asking: Asking, request: Request) -> Response:
    """`GET /v2/models/{name}`."""
    facts = find(asking, request)
    content = {
        "name": facts.name,
        "versions": [str(version) for version in facts.versions],
        "platform": "onnxruntime_onnx",
        "inputs": describe_inputs(),
        "outputs": describe_outputs(facts),
        "parameters": {"task": facts.task, "labels": facts.labels, "max_length": facts.max_length},
    }
    return json_response(content)


def model_ready(asking: Asking, request: Request) -> Response:
    """`GET /v2/models/{name}/ready`."""
    facts = find(asking, request)
    asking.check_ready()
    check_available(facts)
    return json_response({"name": facts.name, "ready": True})


async def infer(asking: Asking, request: Request) -> Response:
    """`POST /v2/models/{name}/infer`."""
    body = await asking.body(request)
    wanted, raw = parse_request(body, request.headers.get(HEADER_LENGTH))
    deadline = asking.deadline(timeout_ms(wanted.parameters))
    facts = find(asking, request)
    _check_outputs(wanted.outputs, facts)
    read = read_inputs(wanted.inputs, raw)
    if isinstance(read, list):
        logits = await asking.text_logits(facts, read, deadline=deadline)
    else:
        logits = await asking.logits(facts, rows_from(read), deadline=deadline)
    return write_answer(wanted, facts, outputs_from(facts, logits))


def find(asking: Asking, request: Request) -> ModelFacts:
    """The model and version of the path. Raises: UnknownModel, UnknownVersion."""
    return asking.find(request, request.path_params["name"], request.path_params.get("version"))


def write_answer(wanted: InferRequest, facts: ModelFacts, outputs: Mapping[str, Output]) -> Response:
    """JSON, and after it the outputs that are wanted as bytes."""
    everything = wanted.parameters.get("binary_data_output") is True
    names = {one.name: one.parameters.get("binary_data", everything) is True for one in wanted.outputs}
    described, tail = [], b""
    for name, binary in (names or dict.fromkeys(outputs, everything)).items():
        entry, data = _described(outputs[name], binary=binary)
        described.append(entry)
        tail += data
    content: dict[str, Any] = {"model_name": facts.name, "model_version": str(facts.version)}
    content |= ({"id": wanted.id} if wanted.id else {}) | {"outputs": described}
    answer = json_response(content)
    if not any("data" not in entry for entry in described):
        return answer
    length = str(len(answer.body))
    body = bytes(answer.body) + tail
    return Response(body, headers={HEADER_LENGTH: length}, media_type="application/octet-stream")


def _described(output: Output, *, binary: bool) -> tuple[dict[str, Any], bytes]:
    entry: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
    values = output.values
    if not binary:
        flat = values if isinstance(values, tuple) else values.ravel().tolist()
        return entry | {"data": flat}, b""
    data = write_strings(values) if isinstance(values, tuple) else write_floats(values)
    return entry | {"parameters": {"binary_data_size": len(data)}}, data


def _check_outputs(outputs: Sequence[RequestedOutput], facts: ModelFacts) -> None:
    known = [str(one["name"]) for one in describe_outputs(facts)]
    for output in outputs:
        refuse_parameters(output.name, output.parameters)
        if output.name not in known:
            message = f"there is no output {output.name!r}: outputs are {', '.join(known)}."
            raise bad_request("unknown_tensor", message)
