"""The image's environment without an engine: the first stage of docker/serve.Dockerfile, done in a temporary folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.instructions import ROOT, every, only, read_stages

ENVIRONMENT = "/opt/compress"
UNWANTED = ("torch", "transformers", "peft", "datasets", "onnx", "scipy", "sklearn", "pandas", "pip", "setuptools")


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """What the second stage copies out of the first one."""
    folder = tmp_path_factory.mktemp("image")
    build, _ = read_stages("serve")
    source = folder / only(build, "WORKDIR").rest.lstrip("/")
    source.mkdir()
    for copy in every(build, "COPY"):
        *names, where = copy.rest.split()
        for name in names:
            copy_into(name, source / where)
    for run in every(build, "RUN"):
        execute(run.rest.replace(ENVIRONMENT, str(folder / "environment")), source)
    shutil.rmtree(source)  # so that nothing is imported from there
    return folder / "environment"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_image_for_serving_needs_no_training_library(environment, capsys):
    found = [name for name in UNWANTED if ask(environment, f"import {name}").returncode == 0]
    assert found == []
    size_mb = (
        sum(file.stat().st_size for file in environment.rglob("*") if not file.is_symlink() and file.is_file()) / 1e6
    )
    with capsys.disabled():
        sys.stdout.write(f"\ninstalled for serving: {size_mb:.0f} MB\n")
    assert size_mb < 400


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", [["--help"], ["serve", "--help"], ["adapters", "--help"]])
def test_the_commands_work_in_the_image(environment, command):
    program = str(environment / "bin" / "compress")
    said = subprocess.run([program, *command], capture_output=True, text=True, cwd=environment, timeout=60)
    assert said.returncode == 0, said.stderr
    assert "Usage" in said.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_server_with_its_page_is_in_the_image(environment):
    imported = ask(environment, "import compress.serving.app, compress.serving.run, compress.serving.set_backend")
    assert imported.returncode == 0, imported.stderr
    page = ask(environment, "from compress.serving.page import start_page; start_page('news', 'set')")
    assert page.returncode == 0, page.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_options_of_the_entry_point_are_known(environment, tmp_path):
    """With a folder that is no set the server gets as far as opening it."""
    last = read_stages("serve")[-1]
    program, *arguments = only(last, "ENTRYPOINT").as_list()
    arguments[arguments.index("--port") + 1] = "0"
    command = [str(environment / "bin" / program), *arguments, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=environment, timeout=60)
    assert said.returncode == 2
    assert str(tmp_path) in said.stderr


def copy_into(name: str, where: Path) -> None:
    """As COPY does, without what .dockerignore leaves out."""
    if (ROOT / name).is_dir():
        shutil.copytree(ROOT / name, where, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        where.mkdir(exist_ok=True, parents=True)
        shutil.copy(ROOT / name, where)


def execute(command: str, cwd: Path) -> None:
    """As RUN does, with this Python as `python`; nothing of this environment or project is seen."""
    environ = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-ec", command], cwd=cwd, env=environ, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"


def ask(environment: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in the environment alone (-I: no variable, no current folder)."""
    command = [str(environment / "bin" / "python"), "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
