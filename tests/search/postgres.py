"""A PostgreSQL server of the test's own, out of the Debian package `postgresql`."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "not-to-be-shown"


def programs() -> Path:
    """The folder of initdb and postgres; without one the test is skipped, where nobody insists on it."""
    there = [Path(found).resolve().parent for name in ("initdb", "postgres") if (found := shutil.which(name))]
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *there]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    why = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.environ.get("CI") or os.environ.get("COMPRESS_REQUIRE_POSTGRES"):
        pytest.fail(f"{why}, and CI or COMPRESS_REQUIRE_POSTGRES asks for this test")
    return pytest.skip(why)


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database on this machine; the server ends with the context."""
    folder, bin_folder = Path(tempfile.mkdtemp(prefix="postgres-")), programs()
    user = "postgres" if os.geteuid() == 0 else None  # initdb refuses root
    try:
        (folder / "password").write_text(PASSWORD)
        if user is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        data, port = folder / "data", free_port()
        said = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL}
        initdb = [
            bin_folder / "initdb",
            "-D",
            data,
            "-U",
            "me",
            "-A",
            "scram-sha-256",
            f"--pwfile={folder / 'password'}",
        ]
        subprocess.run(initdb, check=True, timeout=120, **said)
        command = [bin_folder / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **said)
        try:
            ready = [bin_folder / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
            if not any(subprocess.run(ready, check=False, **said).returncode == 0 for _ in range(60)):
                raise AssertionError("the server did not come up")
            yield f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown: it waits for no client
            process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
