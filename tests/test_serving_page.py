"""docs/serving.md and the README's lines: every option, figure, code and limit that is there, and no other."""

import re
import shlex
from dataclasses import replace
from inspect import signature
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from compress.cli.serving import serve
from compress.serving.admission import Admission
from compress.serving.app import make_app
from compress.serving.connections import ConnectionLimits
from compress.serving.failures import ServingError
from compress.serving.limits import Limits
from compress.serving.metrics import Metrics
from compress.serving.repository import Control
from tests.serving.fake_backend import NEWS, FakeBackend

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
TOKEN = "0123456789abcdef"
SERVER = "http://127.0.0.1:8080"
LITERAL_CODE = re.compile(r'(?:Problem\(\s*\d+,|bad_request\(|problem_response\(\s*\d+,|Refusal\(\s*\d+,)\s*"(\w+)"')


def section(title: str) -> str:
    """The text below a heading, to the next of its level."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_option_is_on_the_page_with_its_default():
    shown = dict(re.findall(r"^\| `--([\w-]+)` \| (.*?) \|", section("Options"), re.MULTILINE))
    there = {name.replace("_", "-"): one.default for name, one in signature(serve).parameters.items() if name != "path"}
    assert shown.keys() == there.keys()
    for name, default in there.items():
        if default is not None:
            assert shown[name] == (
                "off" if default is False else f"{default:g}" if isinstance(default, float) else str(default)
            )


def test_every_metric_is_on_the_page():
    metrics = Metrics(FakeBackend(), Admission())
    metrics.record("/classify", 200, 0.1)
    there = set()
    for family in text_string_to_metric_families(metrics.text().decode()):
        there.add(f"{family.name}_total" if family.type == "counter" else family.name)
    shown = set(re.findall(r"`(compress_\w+)", section("Watching")))
    assert shown == {name for name in there if not name.endswith("_created")}


def test_every_error_code_is_on_the_page():
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "compress" / "serving").glob("*.py"))
    there = {kind.code for kind in ServingError.__subclasses__()} | set(LITERAL_CODE.findall(sources))
    rows = [line.split("|")[2] for line in section("Limits and errors").splitlines() if line.startswith("| ")]
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == there


def test_the_limits_are_those_of_the_server():
    said, limits, connections = section("Limits and errors"), Limits(), ConnectionLimits()
    assert f"{limits.body_bytes >> 20} MiB a body, {limits.texts} texts" in said
    assert f"{limits.characters:,} characters a text" in said
    assert (
        f"header took more than {connections.header_seconds:g} s or the body more than {connections.body_seconds:g} s"
        in said
    )
    assert f"{limits.all_bodies_bytes >> 20} MiB of bodies at once, {connections.connections:,} connections" in said
    assert f"{connections.header_bytes >> 10} KiB of\nheaders, {connections.idle_seconds} s of an idle" in said


def curl_lines() -> list[str]:
    text = PAGE + (ROOT / "README.md").read_text(encoding="utf-8")
    return [line.removeprefix("curl ") for line in text.splitlines() if line.startswith("curl ")]


@pytest.mark.parametrize("line", curl_lines())
def test_a_line_for_curl_is_answered(line):
    words = shlex.split(line.replace("$(cat token)", TOKEN), comments=True)
    options = {flag: words[words.index(flag) + 1] for flag in ("-X", "-H", "-d") if flag in words}
    (url,) = [word for word in words if word.startswith(SERVER)]
    backend = FakeBackend(NEWS, replace(NEWS, name="sentiment"))
    client = TestClient(make_app(backend, control=Control(enabled=True, token=TOKEN)))
    method = options.get("-X", "POST" if "-d" in options else "GET")
    headers = dict([options["-H"].split(": ")]) if "-H" in options else {}
    answer = client.request(method, url.removeprefix(SERVER), content=options.get("-d"), headers=headers)
    assert answer.status_code == 200, answer.text
