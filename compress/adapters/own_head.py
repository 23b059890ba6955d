"""The base's own head, which answers in slot 0: `base/own_head.safetensors`, packed as the tables hold it."""

from collections.abc import Mapping
from pathlib import Path

from compress.adapters.delta import Layer
from compress.adapters.packing import Packed, pack_head, zero_packed
from compress.adapters.set_file import SetFile
from compress.adapters.tensors_file import read_tensors
from compress.errors import AdapterError
from compress.writing import write_bytes

OWN_HEAD = "base/own_head.safetensors"


def write_own_head(folder: Path, set_file: SetFile, head: Mapping[str, Layer]) -> None:
    """Write the head's layers for slot 0 of the set in `folder`, whose `own_head` says the labels.

    Raises: AdapterError when these are not the layers of the set's head.
    """
    from safetensors.numpy import save

    assert set_file.own_head is not None, "the set says that its base has no head"
    packed = pack_head(head, set_file, labels=len(set_file.own_head.labels))
    write_bytes(folder / OWN_HEAD, save(packed))


def read_zero(folder: Path, set_file: SetFile) -> Packed:
    """What slot 0 holds: no update, and the base's own head where it has one.

    Raises: AdapterError when the head is missing or does not fit the set.
    """
    packed = zero_packed(set_file)
    if set_file.own_head is None:
        return packed
    try:
        head = read_tensors(folder / OWN_HEAD)
    except FileNotFoundError as error:
        raise AdapterError(f"{folder} has no {OWN_HEAD}, and its base has a head: make the set again.") from error
    wanted = {name: table.shape for name, table in packed.items() if name.startswith("head_")}
    if {name: table.shape for name, table in head.items()} != wanted:
        raise AdapterError(f"{folder / OWN_HEAD} does not fit the set: needed are {wanted}. Make the set again.")
    return {**packed, **head}
