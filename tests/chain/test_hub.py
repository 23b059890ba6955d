import subprocess
import sys

import pytest

from compress.chain.hub import hub_commit, hub_folder
from compress.errors import ConfigurationError, ModelError

COMMIT = "0123456789" * 4


@pytest.fixture(autouse=True)
def nothing_asked_yet():
    hub_commit.cache_clear()
    yield
    hub_commit.cache_clear()


def test_a_branch_that_moves_keeps_its_commit_for_the_whole_process(monkeypatch):
    commits = iter(["a" * 40, "b" * 40, "c" * 40])

    class Moving:
        def repo_info(self, *_arguments, **_options):
            return type("Info", (), {"sha": next(commits)})

    monkeypatch.setattr("huggingface_hub.HfApi", Moving)
    assert [hub_commit("org/name"), hub_commit("org/name")] == ["a" * 40] * 2
    assert hub_commit("org/name", kind="dataset") == "b" * 40
    hub_commit.cache_clear()
    assert hub_commit("org/name") == "c" * 40


@pytest.fixture
def snapshot(monkeypatch, tmp_path):
    """Of a repository with two files, in a cache whose file list is known; any question to the hub is an error."""
    from huggingface_hub import _tree_cache, constants

    def asked(*_arguments, **_options):
        raise ValueError("the hub was asked")

    monkeypatch.setattr("socket.getaddrinfo", asked)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--org--name"
    entry = _tree_cache.TreeCacheEntry(size=2, blob_id="0" * 40, lfs_sha256=None, lfs_size=None, xet_hash=None)
    _tree_cache.write_tree_cache(str(home), COMMIT, {"config.json": entry, "model.safetensors": entry})
    folder = home / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    return folder


def test_a_whole_snapshot_in_the_cache_needs_no_network(snapshot):
    assert hub_folder(f"org/name@{COMMIT}") == snapshot


def test_a_snapshot_with_a_file_missing_is_downloaded(snapshot):
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be downloaded: the hub was asked"):
        hub_folder(f"org/name@{COMMIT}")


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
