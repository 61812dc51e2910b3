"""`finecut cache`: what is kept, whether it is whole, and what may go."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import results
from deployments.cli.running import told_plainly
from tasks.errors import BadInput, BadSettings, VerificationFailed

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.media.records import Record
    from tasks.media.store import ProcessingCache
    from tasks.media.upkeep import Filter, Pruned

app = typer.Typer(help="What is kept, whether it is whole, and what may go.", no_args_is_help=True)

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
LONGEST = 50

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
        now_s = time.time()
        _table(
            ("key", "step", "tier", "bytes", "made", "took", "video"),
            [
                (
                    line["key"][:12],
                    line["step"],
                    line["tier"],
                    size(line["bytes"]),
                    f"{age(now_s - line['made_s'])} ago",
                    f"{line['seconds']:.1f} s",
                    ", ".join(Path(path).name for path in line["videos"]),
                )
                for line in lines[:limit]
            ],
        )
        if len(lines) > limit:
            _console().print(f"… and {len(lines) - limit} more")


@app.command()
def show(video: Annotated[str, typer.Argument(help="A video, or its digest.")]) -> None:
    """Print what is known of a video as one JSON document."""
    with told_plainly(as_json=True, verbose=False):
        store = _store()
        document = store.film(_digest(store, video))
        if document is None:
            raise BadInput(f"nothing is known of {video}", f"finecut edit {video}")
        results.print_json(document)


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
        damaged = upkeep.damage(store)
        compared: list[dict[str, Any]] = []
        if not is_dry:
            store.remove(damaged, damaged=True)
        if again:
            from deployments.cli.recompute import recompute

            compared = recompute(store, again)
        told = {
            "entries": sum(1 for _ in store.records()),
            "damaged": [{"key": k, "step": s, "why": w} for k, (s, w) in damaged.items()],
            "recomputed": compared,
        }
        is_bad = bool(damaged) or any(each["same"] is False for each in compared)
        if as_json:
            results.print_json({"ok": not is_bad, **told})
        else:
            _print_verified(told)
        if is_bad:
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

        store = _store()
        limit_bytes = store.limit_bytes if limit is None else _bytes(limit)
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
    freed_bytes = sum(each.size_bytes for each in found) if is_dry else legacy.remove(found)
    if as_json:
        files = [{"path": str(f.path), "bytes": f.size_bytes, "why": f.why} for f in found]
        results.print_json(
            {"ok": True, "dry_run": is_dry, "files": files, "freed_bytes": freed_bytes}
        )
        return
    _table(
        ("file", "bytes", "what it is"), [(str(f.path), size(f.size_bytes), f.why) for f in found]
    )
    verb = "would be freed; --yes removes them" if is_dry else "freed"
    _console().print(f"{len(found)} files, {size(freed_bytes)} {verb}")


def _store() -> ProcessingCache:
    from tasks.media.store import open_store

    return open_store()


def _digest(store: ProcessingCache, video: str) -> str:
    from tasks.media.records import is_digest

    return video if is_digest(video) else store.digest_of(Path(video))


def _filter(
    store: ProcessingCache,
    step: str | None,
    tier: str | None,
    video: str | None,
    older_than: str | None,
) -> Filter:
    from tasks.keys import STEPS, Tier
    from tasks.media.upkeep import Filter

    if step is not None and step not in STEPS:
        raise BadSettings(f"there is no step {step!r}", f"steps: {', '.join(STEPS)}")
    if tier is not None and tier not in (Tier.PERMANENT, Tier.CONDITIONAL):
        raise BadSettings(f"there is no tier {tier!r} that is kept", "permanent or conditional")
    footage = None if video is None else _digest(store, video)
    return Filter(step, tier, footage, None if older_than is None else _seconds(older_than))


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)", text.strip())
    if match is None:
        raise BadSettings(f"{text!r} is no length of time", "write 90min, 12h, 30d or 2w")
    return float(match[1]) * UNITS_S[match[2]]


def _bytes(text: str) -> int:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise BadSettings(f"{text!r} is no size", "write 20GB or 500MB") from error


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


def size(size_bytes: float) -> str:
    """Return a size for people: ``1.2 GB``."""
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def age(age_s: float) -> str:
    """Return an age for people: ``3 h``, ``12 d``."""
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if age_s >= length_s:
            return f"{age_s / length_s:.0f} {unit}"
    return f"{age_s:.0f} s"


def _told(pruned: Pruned, *, as_json: bool, is_dry: bool) -> None:
    if as_json:
        results.print_json(
            {
                "ok": True,
                "dry_run": is_dry,
                "entries": [{"key": r.key, "step": r.step} for r in pruned.records],
                "orphans": list(pruned.orphans),
                "broken": list(pruned.broken),
                "freed_bytes": pruned.freed_bytes,
            }
        )
        return
    counts: dict[str, int] = {}
    for record in pruned.records:
        counts[record.step] = counts.get(record.step, 0) + 1
    parts = [f"{count} {step}" for step, count in counts.items()]
    parts += [f"{len(pruned.orphans)} left over"] if pruned.orphans else []
    parts += [f"{len(pruned.broken)} broken or old"] if pruned.broken else []
    verb = "would go" if is_dry else "went"
    _console().print(f"{', '.join(parts) or 'nothing'} {verb}, {size(pruned.freed_bytes)}")


def _print_stats(found: Mapping[str, Any]) -> None:
    console = _console()
    console.print(
        f"[bold]{size(found['files_bytes'])}[/] of {size(found['limit_bytes'])} in "
        f"{found['entries']} entries, {found['folder']}",
        soft_wrap=True,
    )
    for title in ("steps", "tiers"):
        rows = [(name, s["entries"], size(s["bytes"])) for name, s in found[title].items()]
        _table((title[:-1], "entries", "bytes"), rows)
    rows = [(Path(v["path"]).name, v["entries"], size(v["bytes"])) for v in found["videos"]]
    _table(("video", "entries", "bytes"), rows)
    _table(
        ("run", "hits", "misses", "rate", "saved", "took"),
        [
            (
                run["id"],
                run["hits"],
                run["misses"],
                "" if run["hit_rate"] is None else f"{run['hit_rate']:.0%}",
                f"{run['saved_s']:.0f} s, {size(run['saved_bytes'])}",
                f"{run['wall_s']:.1f} s",
            )
            for run in found["runs"]
        ],
    )


def _print_verified(told: Mapping[str, Any]) -> None:
    console = _console()
    for each in told["damaged"]:
        console.print(f"[red]{each['step']} {each['key'][:12]}[/]: {each['why']}")
    for each in told["recomputed"]:
        state = {True: "[green]the same[/]", False: f"[red]differs[/]: {each['why']}"}
        shown = state.get(each["same"], f"[dim]not compared: {each['why']}[/]")
        console.print(f"{each['step']} {each['key'][:12]}: {shown}")
    console.print(f"{told['entries']} entries are whole, {len(told['damaged'])} were damaged")


def _table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        is_number = column in ("bytes", "entries", "hits", "misses", "rate", "took")
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    if table.row_count:
        _console().print(table)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)
