"""The reference of all steps as Markdown, out of the same JSON Schema that editors complete from.

Run as `python -m compress.pipeline.reference > docs/steps.md`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from compress.pipeline.schema import pipeline_schema

Schema = Mapping[str, Any]
SHARED = frozenset({"name", "step", "seed", "gates", "measure"})
OPENING = """# Steps

Every stage has a `name` and a `step`; it may have a `seed`, `gates` ([gates.md](gates.md)) and `measure`. An edge is
written as the name of an earlier stage. This page is made by `python -m compress.pipeline.reference > docs/steps.md`.
"""


def reference() -> str:
    """The page: the steps, then the nested models that they use."""
    schema = pipeline_schema()
    definitions: Mapping[str, Schema] = schema["$defs"]
    steps = {name: one for name, one in definitions.items() if _constant(one, "step")}
    nested = {name: one for name, one in definitions.items() if "properties" in one and name not in steps}
    parts = [OPENING, *(_section(f"`{_constant(one, 'step')}`", one) for one in steps.values())]
    parts += ["# Nested values\n", *(_section(_title(name, one), one) for name, one in nested.items())]
    return "\n".join(parts)


def _section(title: str, model: Schema) -> str:
    return "\n".join([f"## {title}\n", f"{_paragraph(model)}\n", *_table(model)])


def _title(name: str, model: Schema) -> str:
    kind = _constant(model, "kind")
    return f"{name} (`kind: {kind}`)" if kind else name


def _paragraph(model: Schema) -> str:
    return str(model.get("description", "")).split("\n\n")[0].replace("\n", " ")


def _table(model: Schema) -> Iterator[str]:
    """One row a field; nothing for a model without fields of its own."""
    is_step = _constant(model, "step") is not None
    fields = {name: one for name, one in model["properties"].items() if not (is_step and name in SHARED)}
    if _constant(model, "kind"):
        del fields["kind"]
    if not fields:
        return
    yield "| field | value | default | |\n|---|---|---|---|"
    for name, field in fields.items():
        default = "required" if name in model.get("required", ()) else _default(field)
        yield f"| `{name}` | {_type(field)} | {default} | {_paragraph(field)} |"
    yield ""


def _type(field: Schema) -> str:
    """What may be written, in a few words."""
    if "$ref" in field:
        return f"[{_last(field['$ref'])}](#{_last(field['$ref']).lower()})"
    if "const" in field or "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    for several in ("anyOf", "oneOf", "allOf"):
        if several in field:
            return " \\| ".join(dict.fromkeys(_type(one) for one in field[several]))
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    return f"{field.get('type', 'any')}{_bounds(field)}"


def _bounds(field: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    said = [f"{sign} {field[name]:g}" for name, sign in signs.items() if name in field]
    return f" ({', '.join(said)})" if said else ""


def _constant(model: Schema, field: str) -> str | None:
    found = model.get("properties", {}).get(field, {}).get("const")
    return str(found) if found is not None else None


def _default(field: Schema) -> str:
    """As it would be written; of nested values only that they have defaults of their own."""
    if "default" not in field:
        return "`{}`" if field.get("type") == "object" else "its own"  # a factory makes it
    value = field["default"]
    return "its own" if isinstance(value, (dict, list)) and value else f"`{json.dumps(value)}`"


def _last(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201  that is what it is for
