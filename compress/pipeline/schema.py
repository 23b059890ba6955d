"""The JSON Schema (draft 2020-12) of pipeline files, for editors: completion, descriptions, bounds.

Editors find it by a first line `# yaml-language-server: $schema=pipeline.schema.json` (`compress schema > …`).
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from compress.frozen import descriptions_of
from compress.pipeline.spec import registered, spec_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def pipeline_schema(steps: Any = None) -> dict[str, Any]:
    """The schema of a pipeline whose stages are of the union `steps`; None: those of `compress.steps`."""
    spec = registered() if steps is None else spec_of(steps)
    return {"$schema": DIALECT, **_readable(spec.model_json_schema(schema_generator=_Described))}


class _Described(GenerateJsonSchema):
    """Adds the descriptions of the fields, which the classes themselves do not carry."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """As pydantic makes it, with each field's docstring."""
        made = super().model_schema(schema)
        for name, text in descriptions_of(schema["cls"]).items():
            if name in made.get("properties", {}):
                made["properties"][name]["description"] = text
        return made


def _readable(schema: Any) -> Any:
    """Edges described by what they name; OpenAPI's `discriminator`, which JSON Schema does not know, left out."""
    if isinstance(schema, list):
        return [_readable(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    edge = schema.get("x-edge")
    described = {"description": _joined(schema.get("description"), str(edge))} if isinstance(edge, str) else {}
    hidden = {"x-edge"} | ({"discriminator"} if "oneOf" in schema else set())
    return {key: _readable(inner) for key, inner in {**schema, **described}.items() if key not in hidden}


def _joined(description: object, edge: str) -> str:
    """What the field is for, then what it names."""
    return f"{description} {edge}" if isinstance(description, str) and description else edge
