import subprocess
import sys

import pytest

from compress.chain.hub import hub_commit
from compress.errors import ConfigurationError

COMMIT = "0123456789" * 4


def test_offline_the_commit_is_the_one_in_the_local_cache(tmp_path):
    home = tmp_path / "hub" / "datasets--org--name"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    (home / "snapshots" / COMMIT).mkdir(parents=True)
    (home / "snapshots" / COMMIT / "README.md").write_text("rows")
    assert offline("print(hub_commit('org/name', kind='dataset'))", tmp_path).stdout.strip() == COMMIT


def test_offline_without_a_cache_the_error_says_so(tmp_path):
    said = offline("hub_commit('org/other', kind='dataset')", tmp_path).stderr
    assert "ConfigurationError: 'hub:org/other' cannot be reached and is not in the local cache" in said


def offline(statement, cache):
    program = f"from compress.chain.hub import hub_commit\n{statement}"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache / "hub"), "HF_HOME": str(cache)}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_no_network_and_no_cache_is_a_configuration_error(monkeypatch, tmp_path):
    import httpx2
    from huggingface_hub import HfApi, constants

    def unreachable(*_arguments, **_options):
        raise httpx2.ConnectError("Name or service not known")

    monkeypatch.setattr(HfApi, "repo_info", unreachable)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigurationError, match="cannot be reached and is not in the local cache: Name or service"):
        hub_commit("org/name", kind="dataset")
