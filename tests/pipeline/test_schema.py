"""The JSON Schema of pipeline files; UPDATE_SNAPSHOTS=1 writes `schema.json` anew."""

import json
from pathlib import Path
from typing import Any

from compress.pipeline.schema import pipeline_schema
from tests.pipeline.fake_steps import FakeStep
from tests.snapshots import same_as_kept

SNAPSHOT = Path(__file__).with_name("schema.json")


def schemas_within(schema: Any) -> list[dict[str, Any]]:
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    own = [schema] if isinstance(schema, dict) else []
    return own + [found for value in inner for found in schemas_within(value)]


def test_the_schema_is_as_the_snapshot_says() -> None:
    assert same_as_kept(SNAPSHOT, json.dumps(pipeline_schema(FakeStep), indent=1) + "\n")


def test_the_schema_says_its_draft_and_refuses_unknown_keys() -> None:
    schema = pipeline_schema(FakeStep)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "stages"]


def test_an_edge_is_text_that_says_what_it_names() -> None:
    teacher = pipeline_schema(FakeStep)["$defs"]["Distill"]["properties"]["teacher"]
    assert teacher["type"] == "string"
    assert teacher["description"] == "Who is imitated. The name of an earlier stage that makes: Checkpoint."


def test_nothing_of_ours_or_of_openapi_is_left_in_it() -> None:
    for schema in schemas_within(pipeline_schema(FakeStep)):
        assert "x-edge" not in schema
        assert not ({"oneOf", "discriminator"} <= set(schema))


def test_the_real_steps_are_described_for_editors() -> None:
    schema = pipeline_schema()
    stages = {name: each for name, each in schema["$defs"].items() if "step" in each.get("properties", {})}
    assert "Distill" in stages
    for name, stage in stages.items():
        assert stage["description"], name
        for field, about in stage["properties"].items():
            assert field == "step" or "description" in about, f"{name}.{field}"
