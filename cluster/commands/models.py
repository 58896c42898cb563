"""`imustream models`: the store of models, and which version of each serves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipelines.models.channels import Channels
    from pipelines.models.store import ModelStore

_Name = Annotated[str, typer.Argument(help="The model, such as velocity.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models = typer.Typer(
        help="The store of models: push versions, and choose which one serves.",
        no_args_is_help=True,
    )
    models.command("list", epilog="Examples: imustream models list | imustream models list --json")(
        list_models
    )
    models.command(epilog="Examples: imustream models show velocity | ... show velocity 2 --json")(
        show
    )
    models.command(
        epilog="Examples: imustream models push out/model | "
        "imustream models push out/model --name velocity --version 3 --candidate"
    )(push)
    models.command(
        epilog="Examples: imustream models promote velocity (the candidate becomes stable) | "
        "imustream models promote velocity 2 | "
        "imustream models promote velocity 3 --channel candidate"
    )(promote)
    models.command(epilog="Example: imustream models rollback velocity")(rollback)
    app.add_typer(models, name="models")


def list_models(as_json: _Json = False) -> None:
    """Show every model: its versions, and which are stable and candidate."""
    from dataclasses import asdict

    store = _store()
    found = [
        {"name": name, "versions": store.versions(name), **asdict(store.channels(name))}
        for name in store.names()
    ]
    if as_json:
        typer.echo(json.dumps({"models": found}))
    elif not found:
        typer.echo("the store has no models: `imustream models push FOLDER` adds one")
    else:
        _print_table(found)


def show(
    name: _Name,
    version: Annotated[str | None, typer.Argument(help="Default: the stable version.")] = None,
    as_json: _Json = False,
) -> None:
    """Show one version: what it was trained on, its metrics, its SHA-256 (which is checked)."""
    from dataclasses import asdict

    from pipelines.errors import NotFoundError

    store = _store()
    channels = store.channels(name)
    versions = store.versions(name)
    wanted = version or channels.stable or (versions[-1] if versions else None)
    if wanted is None:
        raise NotFoundError(f"there is no model {name}: `imustream models list` shows all")
    model = store.load(name, wanted)
    if as_json:
        about = {"versions": versions, "channels": asdict(channels), "model": model.facts}
        typer.echo(json.dumps(about))
        return
    typer.echo(f"{name}: versions {', '.join(versions)}; {_channels_text(channels)}")
    typer.echo(f"version {wanted}, {len(model.onnx)} bytes:")
    typer.echo(json.dumps(model.facts, indent=2))


def push(
    folder: Annotated[
        Path, typer.Argument(help="Folder with model.onnx, scaling.json and model.json.")
    ],
    name: Annotated[str | None, typer.Option(help="Default: what model.json says.")] = None,
    version: Annotated[
        str | None,
        typer.Option(help="Default: what model.json says, else the next after the newest."),
    ] = None,
    candidate: Annotated[bool, typer.Option(help="Make it the candidate too.")] = False,
    as_json: _Json = False,
) -> None:
    """Check a model and keep it as a new version; it serves once it is promoted.

    Checked are the ONNX graph, the tensors' names and shapes, the scaling, the features, and the
    answers to a small inference. A version that exists is refused.
    """
    from pipelines.models.folder_store import files_in
    from pipelines.models.model_files import read_model
    from pipelines.models.promotion import promote as promote_version
    from pipelines.models.pushing import completed
    from pipelines.models.validation import validate

    store = _store()
    files, identity = completed(store, files_in(folder), name, version, str(folder))
    model = read_model(*identity, files, str(folder))
    validate(model)
    store.push(*identity, files)
    if candidate:
        promote_version(store, *identity, "candidate")
    if as_json:
        typer.echo(json.dumps({**model.id._asdict(), "candidate": candidate}))
        return
    typer.echo(f"{model.id.name} {model.id.version} is in the store, sha256 {model.id.sha256}")
    if not candidate:
        typer.echo(f"`imustream models promote {model.id.name} {model.id.version}` lets it serve")


def promote(
    name: _Name,
    version: Annotated[str | None, typer.Argument(help="Default: the candidate.")] = None,
    channel: Annotated[str, typer.Option(help="stable or candidate.")] = "stable",
    as_json: _Json = False,
) -> None:
    """Make a version the stable one (or the candidate).

    What serves it loads the version, warms it up and then switches; no request is dropped.
    """
    from pipelines.models.promotion import promote as promote_version

    _report(name, promote_version(_store(), name, version, channel), as_json)


def rollback(name: _Name, as_json: _Json = False) -> None:
    """Return to the version that was stable before."""
    from pipelines.models.promotion import roll_back

    _report(name, roll_back(_store(), name), as_json)


def _store() -> "ModelStore":
    from pipelines.models.store import open_store
    from pipelines.settings import load_settings

    return open_store(load_settings())


def _report(name: str, channels: "Channels", as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        typer.echo(json.dumps({"name": name, **asdict(channels)}))
    else:
        typer.echo(f"{name}: {_channels_text(channels)}")


def _channels_text(channels: "Channels") -> str:
    before = f" (before: {channels.previous})" if channels.previous else ""
    stable = channels.stable or "none"
    return f"stable {stable}{before}, candidate {channels.candidate or 'none'}"


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Model", "Stable", "Candidate", "Before", "Versions", box=None, pad_edge=False)
    for one in found:
        shown = (one["stable"], one["candidate"], one["previous"])
        versions = " ".join(one["versions"])
        table.add_row(one["name"], *(text or "-" for text in shown), versions)
    Console(highlight=False).print(table)
