"""`compress adapters`: what an adapter set on disk holds, and changing it; a server notices within a second."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.options import Json
from compress.cli.printing import print_json, print_parts
from compress.errors import AdapterError, ConfigurationError

if TYPE_CHECKING:
    from compress.adapters.set_folder import AdapterSetFolder

adapters_app = typer.Typer(no_args_is_help=True, help="List and change the adapters of a set.")

SetFolder = Annotated[Path, typer.Argument(help="The set: runs/<pipeline>/set.", metavar="SET", show_default=False)]
Name = Annotated[str, typer.Argument(help="The adapter.", metavar="NAME", show_default=False)]


@adapters_app.command("list")
def adapters_list(folder: SetFolder, as_json: Json = False) -> None:
    """List the adapters of a set: versions, the latest, task, labels."""
    from compress.adapters.listing import listed
    from compress.reporting.listings import adapters_table

    rows = listed(_opened(folder))
    print_json(rows) if as_json else print_parts(adapters_table(rows))


@adapters_app.command("add")
def adapters_add(
    folder: SetFolder,
    name: Name,
    delta: Annotated[
        Path, typer.Argument(help="A PEFT folder with its manifest.json.", metavar="DELTA", show_default=False)
    ],
    promote: Annotated[bool, typer.Option(help="Whether it becomes the latest version.")] = True,
    as_json: Json = False,
) -> None:
    """Add a delta as a new adapter, or as the next version of one; refused with a reason when it does not fit."""
    from compress.steps.adapters.ort_lora import onnx_adapters_of

    version = _opened(folder, name).add(name, delta, promote=promote, derive=onnx_adapters_of(folder))
    said = f"added {name} version {version}" + ("" if promote else ", not promoted")
    print_json({"name": name, "version": version, "promoted": promote}) if as_json else typer.echo(said)


@adapters_app.command("remove")
def adapters_remove(
    folder: SetFolder,
    name: Name,
    version: Annotated[
        int | None, typer.Option(min=1, help="Only this version.", show_default="the adapter with all versions")
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove an adapter, or one version that is not the latest."""
    _opened(folder, name).remove(name, version)
    said = f"removed {name}" if version is None else f"removed {name} version {version}"
    print_json({"name": name, "version": version}) if as_json else typer.echo(said)


@adapters_app.command("promote")
def adapters_promote(
    folder: SetFolder,
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="Which becomes the latest.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Make a version the latest: the one that is served unless another is asked for."""
    _opened(folder, name).promote(name, version)
    print_json({"name": name, "latest": version}) if as_json else typer.echo(f"{name}: version {version} is the latest")


def _opened(folder: Path, name: str | None = None) -> "AdapterSetFolder":
    """Raises: ConfigurationError when the arguments name no set, or nothing that an adapter can be called."""
    from compress.adapters.names import check_name
    from compress.adapters.set_folder import AdapterSetFolder

    try:
        opened = AdapterSetFolder(folder)
        if name is not None:
            check_name(name)
    except AdapterError as error:
        raise ConfigurationError(str(error)) from error
    return opened
