"""`finecut cache verify --recompute N`: compute kept results again, and compare."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deployments.cli import environment
from deployments.cli.running import apart, stoppable
from tasks.errors import FinecutError
from tasks.keys import STEPS
from tasks.media.audit import Audit
from tasks.media.store import ProcessingCache
from tasks.settings import EditSettings

RENDERED = {"chunk", "sound"}


def recompute(store: ProcessingCache, count: int) -> list[dict[str, Any]]:
    """Compute a random sample of kept results again.

    Args:
        store: where they are kept; nothing in it is replaced.
        count: how many.

    Returns:
        ``{"step", "key", "same", "why"}`` each; ``same`` is none where a result cannot be compared:
        its step is not reproducible, or the footage is gone.
    """
    kept = {record.key: record for record in store.records() if record.step != "edit"}
    chosen = random.SystemRandom().sample(sorted(kept), min(count, len(kept)))
    left = {key for key in chosen if STEPS[kept[key].step].is_reproducible}
    told = {
        key: _line(kept[key].step, key, None, f"a {kept[key].step} is not reproducible")
        for key in chosen
        if key not in left
    }
    for run, videos in _runs(store):
        keys = left & {line["key"] for line in run["steps"]}
        if not keys:
            continue
        left -= keys
        is_rendered = any(kept[key].step in RENDERED for key in keys)
        for finding in _again(store, run, videos, keys, is_rendered=is_rendered):
            same = not finding["why"]
            told[finding["key"]] = _line(finding["step"], finding["key"], same, finding["why"])
    for key in chosen:
        told.setdefault(
            key, _line(kept[key].step, key, None, "its footage, or the run that made it, is gone")
        )
    return [told[key] for key in chosen]


def _line(step: str, key: str, same: bool | None, why: str) -> dict[str, Any]:
    return {"step": step, "key": key, "same": same, "why": why}


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
    keys: set[str],
    *,
    is_rendered: bool,
) -> list[dict[str, str]]:
    """Make a run again with some results hidden, and return what came out in their place."""
    environment.prepare(verbose=False)
    import flows.edit
    from tasks.run import kept_in, stop_all

    audit = Audit(store, keys)
    work = store.work_folder()
    suffix = Path(run["output"] or "film.mp4").suffix
    output = work / f"film{suffix}" if is_rendered else None
    settings = EditSettings.model_validate(run["settings"])
    try:
        with kept_in(audit), stoppable(stop_all, as_json=True):
            apart(lambda: flows.edit.edit(videos, output, None, settings))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return [
        {"step": found.step, "key": found.key, "why": found.difference}
        for found in audit.findings.values()
    ]
