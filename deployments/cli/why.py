"""`finecut why`: for each step of a run, hit or miss, and what changed; at once, from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import results
from deployments.cli.running import told_plainly
from tasks.errors import BadInput

if TYPE_CHECKING:
    from tasks.media.store import ProcessingCache
    from tasks.render.why import Difference, StepReason

COLOURS = {"hit": "green", "miss": "yellow", "degraded": "red"}
LATEST = 5


def why_command(
    what: Annotated[
        str, typer.Argument(metavar="VIDEO|RUN", help="A video, the id of a run, or `last`.")
    ],
    step: Annotated[str | None, typer.Argument(help="One step, each of its results.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell why each step of the last run of a video ran, or did not."""
    with told_plainly(as_json=as_json, verbose=False):
        from tasks.media.store import open_store
        from tasks.render.why import explained, settings_changed, summed

        store = open_store()
        runs = store.runs()
        run = _chosen(store, runs, what)
        digests = {video["digest"] for video in run["videos"]}
        earlier = [
            each
            for each in reversed(runs)
            if each["started_s"] < run["started_s"]
            and digests & {video["digest"] for video in each["videos"]}
        ]
        kept = {
            record.key: (record.made_s, record.fields)
            for record in store.records()
            if digests & set(record.footage)
        }
        reasons = explained(run, earlier, kept, store.noted)
        if step is not None:
            reasons = _of_step(reasons, step)
        shown = reasons if step is not None else summed(reasons)
        before = earlier[-1]["settings"] if earlier else run["settings"]
        changed = settings_changed(before, run["settings"])
        if as_json:
            results.print_json(_document(run, changed, shown))
        else:
            _print(run, changed, shown)


def _chosen(
    store: ProcessingCache, runs: Sequence[Mapping[str, Any]], what: str
) -> Mapping[str, Any]:
    from tasks.media.upkeep import film_of

    if not runs:
        raise BadInput("nothing has been edited with this store yet", "finecut edit VIDEO")
    if what == "last":
        return runs[0]
    by_id = [run for run in runs if what and run["id"].startswith(what)]
    if by_id and not Path(what).exists():
        return by_id[0]
    with suppress(BadInput):  # no such file, and none that a run worked on
        digest = film_of(store, what)
        for run in runs:
            if any(video["digest"] == digest for video in run["videos"]):
                return run
    latest = ", ".join(f"{run['id']} ({_names(run)})" for run in runs[:LATEST])
    raise BadInput(f"no run of {what} is known", f"the latest runs: {latest}")


def _of_step(reasons: Sequence[StepReason], step: str) -> tuple[StepReason, ...]:
    found = tuple(reason for reason in reasons if reason.step == step)
    if not found:
        steps = ", ".join(dict.fromkeys(reason.step for reason in reasons))
        raise BadInput(f"the run has no step {step!r}", f"its steps: {steps}")
    return found


def _names(run: Mapping[str, Any]) -> str:
    return ", ".join(Path(video["path"]).name for video in run["videos"])


def _document(
    run: Mapping[str, Any], changed: Sequence[Difference], reasons: Sequence[StepReason]
) -> dict[str, Any]:
    from dataclasses import asdict

    told = ("id", "started_s", "wall_s", "videos", "output", "ok", "error")
    return {
        "ok": True,
        "run": {name: run[name] for name in told},
        "changed": [asdict(change) for change in changed],
        "steps": [asdict(reason) for reason in reasons],
    }


def _print(
    run: Mapping[str, Any], changed: Sequence[Difference], reasons: Sequence[StepReason]
) -> None:
    from datetime import datetime

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    started = datetime.fromtimestamp(run["started_s"]).astimezone()
    ended = "" if run["ok"] else f" [red]failed: {escape(run['error'])}[/]"
    console.print(
        f"[bold]{escape(_names(run))}[/] on {started:%Y-%m-%d at %H:%M:%S}, "
        f"{run['wall_s']:.1f} s{ended} [dim]{run['id']}[/]",
        soft_wrap=True,
    )
    for change in changed:
        console.print(f"since the run before: {escape(change.text)}", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("step", "state", "seconds", "why"):
        table.add_column(name, justify="right" if name == "seconds" else "left")
    for reason in reasons:
        colour = COLOURS.get(reason.state, "dim")
        count = f" ×{reason.count}" if reason.count > 1 else ""
        key = f" [dim]{reason.key[:8]}[/]" if reason.key and count == "" else ""
        lines = [
            change.text + (f" (×{change.count})" if change.count > 1 else "")
            for change in reason.why
        ]
        told = "\n".join([*lines, *([reason.note] if reason.note else [])])
        table.add_row(
            f"{reason.step}{key}",
            f"[{colour}]{reason.state}[/]{count}",
            f"{reason.seconds:.1f}",
            escape(told),
        )
    console.print(table)
