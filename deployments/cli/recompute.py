"""`finecut cache verify --recompute N`: compute kept results again, and compare."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from deployments.cli import environment
from deployments.cli.running import apart, stoppable
from tasks.errors import FinecutError
from tasks.keys import is_reproducible
from tasks.media.audit import Audit, Finding
from tasks.media.records import Record
from tasks.media.store import ProcessingCache
from tasks.settings import EditSettings, Where

RENDERED = {"chunk", "sound"}
NOT_COMPUTED = {"edit", "plan", "footage"}
"""What a whole run comes to, and what is kept for workers of a pool."""


def recompute(store: ProcessingCache, count: int, *, as_json: bool = False) -> list[dict[str, Any]]:
    """Compute a random sample of kept results again.

    Args:
        store: where they are kept; nothing in it is replaced.
        count: how many.
        as_json: how to tell that it was stopped.

    Returns:
        ``{"step", "key", "same", "why"}`` each; ``same`` is none where a result cannot be compared:
        its step is not reproducible, or the footage is gone.
    """
    kept = [record for record in store.records() if record.step not in NOT_COMPUTED]
    chosen = {r.key: r for r in random.SystemRandom().sample(kept, min(count, len(kept)))}
    left = {key for key, record in chosen.items() if is_reproducible(record.fields)}
    told: dict[str, tuple[bool | None, str]] = {
        key: (None, "its footage, or the run that made it, is gone")
        if key in left
        else (None, "its step is not reproducible")
        for key in chosen
    }
    for run, videos in _runs(store):
        hidden = [chosen[key] for key in left & {line["key"] for line in run["steps"]}]
        if hidden:
            left -= {record.key for record in hidden}
            for found in _again(store, run, videos, hidden, as_json=as_json):
                told[found.key] = (not found.difference, found.difference)
    return [
        {"step": chosen[key].step, "key": key, "same": same, "why": why}
        for key, (same, why) in told.items()
    ]


def _runs(store: ProcessingCache) -> Iterator[tuple[Mapping[str, Any], list[Path]]]:
    """Yield the runs that can be made again, with their footage, newest first."""
    for run in store.runs():
        videos = [_found(store, video) for video in run["videos"]]
        if run["settings"] and videos and all(videos):
            yield run, [video for video in videos if video]


def _found(store: ProcessingCache, video: Mapping[str, str]) -> Path | None:
    for path in (Path(video["path"]), *store.known_paths([video["digest"]])):
        try:
            if path.is_file() and store.digest_of(path) == video["digest"]:
                return path
        except FinecutError:
            continue
    return None


def _again(
    store: ProcessingCache,
    run: Mapping[str, Any],
    videos: list[Path],
    hidden: Sequence[Record],
    *,
    as_json: bool,
) -> list[Finding]:
    """Make a run again with some results hidden, and return what came out in their place."""
    environment.prepare(verbose=False)
    from flows import film
    from tasks.engine import without_prefect
    from tasks.run import kept_in, stop_all

    audit = Audit(store, hidden)
    work = store.work_folder()
    is_rendered = any(record.step in RENDERED for record in hidden)
    output = work / f"film{Path(run['output'] or 'film.mp4').suffix}" if is_rendered else None
    settings = EditSettings.model_validate(run["settings"])
    here = settings.render.model_copy(update={"where": Where.LOCAL})
    again = partial(film.edit, videos, output, None, settings.model_copy(update={"render": here}))
    try:
        with kept_in(audit), stoppable(stop_all, as_json=as_json):
            # A run that checks shows in no Prefect server, and is dealt to nobody.
            apart(lambda: without_prefect(again, film.WORKERS))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return audit.findings
