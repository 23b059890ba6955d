"""Rows of a data set on the Hugging Face hub, through `datasets.load_dataset`.

Knows splits and ClassLabel columns; which commit is read is the caller's to say. A local folder of data files is
read by the same function.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import DatasetCard, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from compress.data.record import Columns, Part, Record
from compress.errors import DataError
from compress.progress import Advance

_ROWS_AT_ONCE = 1000


def hub_part(repository: str, *, revision: str | None, config: str | None, split: str, columns: Columns) -> Part:
    """One split, downloaded when it is not in the local cache; class numbers become class names.

    Raises: DataError when it cannot be had.
    """
    title = f"hub:{repository} ({split})"
    rows = _loaded(repository, revision, config, split)
    columns.check(list(rows.column_names), title)
    rows = rows.select_columns(columns.names)
    label_feature = None if columns.label is None else rows.features[columns.label]

    def read(advance: Advance) -> Iterator[Record]:
        number = 0
        for batch in rows.with_format("arrow").iter(_ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                if columns.label is not None:
                    row[columns.label] = _named(label_feature, row[columns.label])
                yield columns.record(row, title, f"row {number}")
            advance(len(batch))

    return Part(title, len(rows), read)


def hub_licence(repository: str, *, revision: str | None) -> str | None:
    """What the repository's card says, if anything."""
    folder = Path(repository)
    try:
        card = folder / "README.md" if folder.is_dir() else _downloaded_card(repository, revision)
        said = DatasetCard.load(card).data.get("license")
    except (OSError, ValueError, HfHubHTTPError):
        return None  # the card is a courtesy: rows that can be read are not refused for want of it
    return ", ".join(said) if isinstance(said, list) else said


def _downloaded_card(repository: str, revision: str | None) -> Path:
    return Path(hf_hub_download(repository, "README.md", repo_type="dataset", revision=revision))


def _loaded(repository: str, revision: str | None, config: str | None, split: str) -> datasets.Dataset:
    try:
        return datasets.load_dataset(repository, config, revision=revision, split=split)
    except (OSError, ValueError, HfHubHTTPError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"'hub:{repository}' (config {config or 'default'}, split {split}) cannot be loaded: {reason} "
            "Check the name, the config, the split and the connection."
        ) from error


def _named(feature: Any, value: Any) -> Any:
    """Class numbers as names, also inside lists; -1, the hub's mark of a hidden label, is no label."""
    if isinstance(feature, datasets.ClassLabel):
        return None if value is None or value < 0 else feature.int2str(value)
    inner = getattr(feature, "feature", None)
    if isinstance(inner, datasets.ClassLabel) and value is not None:
        return [inner.int2str(item) for item in value]
    return value
