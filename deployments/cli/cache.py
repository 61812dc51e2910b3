"""`finecut cache`: what is kept, whether it is whole, and what may go."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal
from rich.markup import escape

from deployments.cli import results
from deployments.cli.running import told_plainly
from tasks.errors import BadInput, BadSettings, VerificationFailed

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.media.records import Record
    from tasks.media.store import ProcessingCache
    from tasks.media.upkeep import Damage, Filter, Pruned

app = typer.Typer(help="What is kept, whether it is whole, and what may go.", no_args_is_help=True)

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
LONGEST = 50
BESIDE = 64
"""Characters that a list needs beside the video; a table of figures needs half."""
NUMBERS = {"bytes", "entries", "hits", "misses", "rate", "made", "used", "took"}

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
IsDry = Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")]
OfStep = Annotated[str | None, typer.Option("--step", help="Results of this step: chunk, faces, …")]
OfTier = Annotated[str | None, typer.Option("--tier", help="permanent or conditional.")]
OfVideo = Annotated[str | None, typer.Option("--video", help="What was made from this video.")]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", help="Made longer ago: 12h, 30d, 2w.")
]


@app.command()
def stats(as_json: AsJson = False) -> None:
    """Show how much is kept of what, and what it saved."""
    with told_plainly(as_json=as_json, verbose=False):
        from tasks.media import upkeep

        found = upkeep.stats(_store())
        if as_json:
            results.print_json({"ok": True, **found})
            return
        _print_stats(found)


@app.command(name="list")
def list_(
    step: OfStep = None,
    tier: OfTier = None,
    video: OfVideo = None,
    older_than: OlderThan = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most lines.")] = LONGEST,
    as_json: AsJson = False,
) -> None:
    """List what is kept, newest first."""
    with told_plainly(as_json=as_json, verbose=False):
        from tasks.media import upkeep

        store = _store()
        found = upkeep.chosen(store, _filter(store, step, tier, video, older_than))
        lines = [_line(store, record) for record in found]
        if as_json:
            results.print_json({"ok": True, "entries": lines})
            return
        _table(
            ("key", "step", "tier", "bytes", "made", "used", "took", "video"),
            [_shown(line, time.time()) for line in lines[:limit]],
        )
        if len(lines) > limit:
            _console().print(f"… and {len(lines) - limit} more")


@app.command()
def show(
    video: Annotated[str, typer.Argument(help="A video, or its digest.")],
    as_json: AsJson = False,  # noqa: ARG001 - it is JSON in any case
) -> None:
    """Print what is known of a video as one JSON document."""
    with told_plainly(as_json=True, verbose=False):
        store = _store()
        document = store.film(_film(store, video))
        if document is None:
            raise BadInput(f"nothing is known of {video}", f"finecut edit {video}")
        results.print_json({"ok": True, **document})


@app.command()
def verify(
    again: Annotated[
        int, typer.Option("--recompute", min=0, help="Compute so many results again, and compare.")
    ] = 0,
    is_dry: IsDry = False,
    as_json: AsJson = False,
) -> None:
    """Read all that is kept and check it; damaged results are removed, to be made again."""
    with told_plainly(as_json=as_json, verbose=False):
        from tasks.media import upkeep

        store = _store()
        found = upkeep.verify(store, is_dry=is_dry)
        compared: list[dict[str, Any]] = []
        if again:
            from deployments.cli.recompute import recompute

            compared = recompute(store, again, as_json=as_json)
        told = _verified(found, compared, is_dry=is_dry)
        if as_json:
            results.print_json(told)
        else:
            _print_verified(told)
        if not told["ok"]:
            raise typer.Exit(VerificationFailed.exit_code)


@app.command()
def prune(
    limit: Annotated[
        str | None, typer.Option("--limit", help="Down to this size; none: the store's own limit.")
    ] = None,
    is_dry: IsDry = False,
    as_json: AsJson = False,
) -> None:
    """Remove the least recently used films and sounds above a limit, and what is left over."""
    with told_plainly(as_json=as_json, verbose=False):
        from tasks.media import upkeep
        from tasks.media.store import parsed_size

        store = _store()
        limit_bytes = store.limit_bytes if limit is None else parsed_size(limit, "--limit")
        _told(upkeep.prune(store, limit_bytes, is_dry=is_dry), as_json=as_json, is_dry=is_dry)


@app.command()
def clear(  # noqa: PLR0917 - Typer makes options of them
    step: OfStep = None,
    tier: OfTier = None,
    video: OfVideo = None,
    older_than: OlderThan = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is kept.")] = False,
    legacy: Annotated[
        Path | None,
        typer.Option("--legacy", help="List what older editing scripts left in this folder."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --legacy: remove it.")] = False,
    is_dry: IsDry = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is kept by step, tier, video or age; or what older scripts left."""
    with told_plainly(as_json=as_json, verbose=False):
        if legacy is not None:
            _clear_legacy(legacy, as_json=as_json, is_dry=is_dry or not yes)
            return
        if not (everything or step or tier or video or older_than):
            raise BadSettings("nothing says what to clear", "--step, --tier, --video, … or --all")
        from tasks.media import upkeep

        store = _store()
        which = _filter(store, step, tier, video, older_than)
        _told(upkeep.clear(store, which, is_dry=is_dry), as_json=as_json, is_dry=is_dry)


def _clear_legacy(folder: Path, *, as_json: bool, is_dry: bool) -> None:
    from tasks.media import legacy
    from tasks.media.store import default_folder

    found = legacy.left_overs(folder, default_folder())
    freed_bytes = sum(each.size_bytes for each in found)
    stays: list[Path] = []
    if not is_dry:
        freed_bytes, stays = legacy.remove(found)
    if stays:
        raise BadInput(f"cannot remove {stays[0]}", "the rest is gone; mend the permissions")
    if as_json:
        files = [{"path": str(f.path), "bytes": f.size_bytes, "why": f.why} for f in found]
        results.print_json(
            {"ok": True, "dry_run": is_dry, "files": files, "freed_bytes": freed_bytes}
        )
        return
    _table(
        ("file", "bytes", "what it is"),
        [(str(f.path), decimal(f.size_bytes), f.why) for f in found],
    )
    verb = "would be freed; --yes removes them" if is_dry else "freed"
    _console().print(f"{len(found)} files, {decimal(freed_bytes)} {verb}")


def _store() -> ProcessingCache:
    from tasks.media.store import open_store

    return open_store()


def _film(store: ProcessingCache, video: str) -> str:
    from tasks.media.upkeep import film_of

    return film_of(store, video)


def _filter(
    store: ProcessingCache,
    step: str | None,
    tier: str | None,
    video: str | None,
    older_than: str | None,
) -> Filter:
    from tasks.keys import STEPS
    from tasks.media.records import Tier
    from tasks.media.upkeep import Filter

    if step is not None and step not in STEPS:
        raise BadSettings(f"there is no step {step!r}", f"steps: {', '.join(STEPS)}")
    if tier is not None and tier not in (Tier.PERMANENT, Tier.CONDITIONAL):
        raise BadSettings(f"there is no tier {tier!r} that is kept", "permanent or conditional")
    footage = None if video is None else _film(store, video)
    return Filter(step, tier, footage, None if older_than is None else _seconds(older_than))


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)", text.strip())
    if match is None:
        raise BadSettings(f"{text!r} is no length of time", "write 90min, 12h, 30d or 2w")
    return float(match[1]) * UNITS_S[match[2]]


def _line(store: ProcessingCache, record: Record) -> dict[str, Any]:
    from tasks.media.upkeep import where

    return {
        "key": record.key,
        "step": record.step,
        "tier": record.tier,
        "bytes": record.size_bytes,
        "made_s": record.made_s,
        "used_s": store.used_s(record.key),
        "seconds": record.seconds,
        "videos": [where(store, digest) for digest in record.footage],
    }


def _shown(line: Mapping[str, Any], now_s: float) -> tuple[str, ...]:
    return (
        line["key"][:8],
        line["step"],
        line["tier"],
        decimal(line["bytes"]),
        _age(now_s - line["made_s"]),
        _age(now_s - max(line["used_s"], line["made_s"])),
        f"{line['seconds']:.1f} s",
        ", ".join(Path(path).name for path in line["videos"]),
    )


def _age(age_s: float) -> str:
    for unit in ("d", "h", "min"):
        if age_s >= UNITS_S[unit]:
            return f"{age_s / UNITS_S[unit]:.0f} {unit}"
    return f"{max(age_s, 0):.0f} s"


def _told(pruned: Pruned, *, as_json: bool, is_dry: bool) -> None:
    counts = dict(Counter(record.step for record in pruned.records))
    if as_json:
        results.print_json(
            {
                "ok": True,
                "dry_run": is_dry,
                "entries": [{"key": r.key, "step": r.step} for r in pruned.records],
                "steps": counts,
                "orphans": list(pruned.orphans),
                "broken": list(pruned.broken),
                "work_folders": list(pruned.work_folders),
                "freed_bytes": pruned.freed_bytes,
                "left_bytes": pruned.left_bytes,
            }
        )
        return
    parts = [f"{count} {step}" for step, count in counts.items()]
    parts += [f"{len(pruned.orphans)} left over"] if pruned.orphans else []
    parts += [f"{len(pruned.broken)} broken or old"] if pruned.broken else []
    parts += [f"{len(pruned.work_folders)} work folders"] if pruned.work_folders else []
    verb = "would go" if is_dry else "went"
    freed, left = decimal(pruned.freed_bytes), decimal(pruned.left_bytes)
    _console().print(f"{', '.join(parts) or 'nothing'} {verb}: {freed}; {left} stay")


def _print_stats(found: Mapping[str, Any]) -> None:
    console = _console()
    console.print(
        f"[bold]{decimal(found['files_bytes'])}[/] of {decimal(found['limit_bytes'])} in "
        f"{found['entries']} entries; {decimal(found['disk_bytes'])} on the disk in "
        f"{escape(found['folder'])}",
        soft_wrap=True,
    )
    for title in ("steps", "tiers"):
        rows = [(name, s["entries"], decimal(s["bytes"])) for name, s in found[title].items()]
        _table((title[:-1], "entries", "bytes"), rows)
    rows = [(Path(v["path"]).name, v["entries"], decimal(v["bytes"])) for v in found["videos"]]
    _table(("video", "entries", "bytes"), rows)
    runs = [(run["id"], *_saved(run), f"{run['wall_s']:.1f} s") for run in found["runs"]]
    if runs:
        runs.append(("together", *_saved(found["together"]), ""))
    _table(("run", "hits", "misses", "rate", "saved", "took"), runs)


def _saved(run: Mapping[str, Any]) -> tuple[Any, ...]:
    rate = "" if run["hit_rate"] is None else f"{run['hit_rate']:.0%}"
    saved = f"{run['saved_s']:.0f} s, {decimal(run['saved_bytes'])}"
    return run["hits"], run["misses"], rate, saved


def _verified(
    found: Damage, compared: Sequence[Mapping[str, Any]], *, is_dry: bool
) -> dict[str, Any]:
    """Return what a check found, as JSON."""
    differ = sum(each["same"] is False for each in compared)
    told: dict[str, Any] = {
        "ok": not found.records and not differ,
        "dry_run": is_dry,
        "entries": found.whole,
        "damaged": [{"key": k, "step": s, "why": w} for k, (s, w) in found.records.items()],
        "other_versions": list(found.other_versions),
        "orphans": [{"digest": d, "bytes": size} for d, size in found.orphans.items()],
        "recomputed": list(compared),
    }
    if not told["ok"]:
        error = VerificationFailed(
            f"{len(found.records)} results are damaged, {differ} differ when computed again",
            "what is damaged is made again when it is needed",
        )
        told["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
    return told


def _print_verified(told: Mapping[str, Any]) -> None:
    console = _console()
    for each in told["damaged"]:
        console.print(f"[red]{each['step']} {each['key'][:12]}[/]: {each['why']}")
    for each in told["recomputed"]:
        state = {True: "[green]the same[/]", False: f"[red]differs[/]: {escape(each['why'])}"}
        shown = state.get(each["same"], f"[dim]not compared: {escape(each['why'])}[/]")
        console.print(f"{each['step']} {each['key'][:12]}: {shown}")
    what = "found" if told["dry_run"] else "removed"
    parts = [f"{told['entries']} entries are whole", f"{len(told['damaged'])} damaged {what}"]
    parts += [f"{len(told['other_versions'])} of another version"] if told["other_versions"] else []
    parts += [f"{len(told['orphans'])} left over {what}"] if told["orphans"] else []
    console.print(", ".join(parts))


def _table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    from rich.table import Table

    console = _console()
    room = max(16, console.width - (BESIDE if "key" in columns else BESIDE // 2))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for column in columns:
        is_whole = column == "file"  # a path that is to be removed is told in full
        table.add_column(
            column,
            justify="right" if column in NUMBERS else "left",
            overflow="fold" if is_whole else "ellipsis",
            no_wrap=not is_whole,
            max_width=room if column == "video" else None,
        )
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    if table.row_count:
        console.print(table)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)
