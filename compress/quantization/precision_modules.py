"""Which module of the torch model a node of an exported graph comes from, as the exporter wrote it down.

Nodes that were rewritten later (packed products) have no such entry; they get the place of the nearest node that reads
them. Knows no family.
"""

import ast
import re
from collections import deque

import onnx

SCOPES = "pkg.torch.onnx.name_scopes"  # "['', 'bert', 'bert.encoder', 'bert.encoder.layer.0', …, 'linear_3']"
NUMBERED = re.compile(r"^(.*?\.\d+)(?:\.|$)")


def modules_of(model: onnx.ModelProto) -> dict[str, str]:
    """The module of each node by its first output: `bert.encoder.layer.0.intermediate.dense`; some may be missing."""
    own = {node.output[0]: module for node in model.graph.node if node.output and (module := _own_module(node))}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = {
        node.output[0]: own.get(node.output[0]) or _nearest(node, own, readers)
        for node in model.graph.node
        if node.output
    }
    return {name: module for name, module in found.items() if module}


def layer_of(module: str) -> str | None:
    """The encoder layer that a module stands in, `bert.encoder.layer.0`; None outside of numbered ones."""
    found = NUMBERED.match(module)
    return found[1] if found else None


def _own_module(node: onnx.NodeProto) -> str:
    """The last scope is the node's own name."""
    said = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "[]")
    try:
        scopes = ast.literal_eval(said)
    except (ValueError, SyntaxError):
        return ""
    whole = isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes)
    return str(scopes[-2]) if whole and len(scopes) > 1 else ""


def _nearest(node: onnx.NodeProto, own: dict[str, str], readers: dict[str, list[onnx.NodeProto]]) -> str:
    """The module of the first reader, or reader's reader, that has one."""
    waiting, seen = deque([node]), {id(node)}
    while waiting:
        for name in waiting.popleft().output:
            for reader in readers.get(name, []):
                if module := own.get(reader.output[0]):
                    return module
                if id(reader) not in seen:
                    seen.add(id(reader))
                    waiting.append(reader)
    return ""
