"""The command line in this process."""

import sys

import pytest

from compress.cli import main


@pytest.fixture
def compress(monkeypatch, capsys):
    """Runs what is typed: its exit code, standard output and standard error."""

    def asked(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["compress", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return asked
