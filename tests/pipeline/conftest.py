"""What these tests share: graphs of the same model."""

from collections.abc import Iterator

import pytest

from compress.exporting import checkpoint
from tests.exported import Exported


@pytest.fixture(scope="session", autouse=True)
def exported_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint, "export_graph", Exported())
        yield
