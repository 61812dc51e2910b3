"""Keeping a store in order: what is in it, what may go, what is damaged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.media.files import is_left_over
from tasks.media.records import Record, Tier, is_digest
from tasks.media.store import ProcessingCache

ORPHAN_S = 3600.0
"""A file that no record names may be one that is just being stored; after this it is left over."""

ROOM = 0.9
"""Eviction goes down to this part of the limit, so that it is not needed again at once."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go."""

    records: tuple[Record, ...] = ()
    orphans: tuple[str, ...] = ()
    """Digests of files that no record names."""
    broken: tuple[str, ...] = ()
    """Keys of records that are damaged or of another schema."""
    work_folders: tuple[str, ...] = ()
    """Names of the work folders of processes that are gone."""
    freed_bytes: int = 0
    left_bytes: int = 0
    """Of all files, afterwards."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What a check of the whole store found."""

    records: Mapping[str, tuple[str, str]]
    """Step and what is wrong, by key."""
    other_versions: tuple[str, ...]
    """Keys of another version's records: a miss, and no damage."""
    orphans: Mapping[str, int]
    """Bytes of the files that no record names, by digest."""
    whole: int
    """How many records are whole."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are meant; what is not said does not matter."""

    step: str | None = None
    tier: str | None = None
    footage: str | None = None
    """Digest of a film."""
    older_than_s: float | None = None
    """Since a result was made."""

    def matches(self, record: Record, now_s: float) -> bool:
        """Return whether a record is meant, at a unix time."""
        return (
            self.step in (None, record.step)
            and self.tier in (None, record.tier)
            and (self.footage is None or self.footage in record.footage)
            and (self.older_than_s is None or now_s - record.made_s > self.older_than_s)
        )


def chosen(store: ProcessingCache, which: Filter) -> list[Record]:
    """Return the records that are meant, newest first, without their values and fields."""
    now_s = time.time()
    found = [record for record in _light(store) if which.matches(record, now_s)]
    return sorted(found, key=lambda record: -record.made_s)


def files_bytes(store: ProcessingCache) -> int:
    """Return how much room the store's files take."""
    return sum(size_bytes for _, _, size_bytes in store.blob_files())


def to_evict(
    records: Sequence[Record], used_s: Callable[[str], float], too_many_bytes: int
) -> list[Record]:
    """Return which conditional records go, the least recently used first, to free so much.

    A file that another record names too frees nothing.
    """
    named: dict[str, int] = {}
    for record in records:
        for digest in {blob.digest for blob in record.blobs.values()}:
            named[digest] = named.get(digest, 0) + 1
    going: list[Record] = []
    candidates = [record for record in records if record.tier == Tier.CONDITIONAL and record.blobs]
    for record in sorted(candidates, key=lambda record: max(used_s(record.key), record.made_s)):
        if too_many_bytes <= 0:
            break
        going.append(record)
        for digest, size_bytes in {b.digest: b.size_bytes for b in record.blobs.values()}.items():
            named[digest] -= 1
            too_many_bytes -= 0 if named[digest] else size_bytes
    return going


def evict(store: ProcessingCache, limit_bytes: int | None = None) -> int:
    """Make room where the store is above its limit; return the bytes freed.

    Conditional results go, the least recently used first; permanent ones never do.
    """
    limit = store.limit_bytes if limit_bytes is None else limit_bytes
    total = files_bytes(store)
    if total <= limit:
        return 0
    going = to_evict(list(_light(store)), store.used_s, total - int(limit * ROOM))
    return store.remove(record.key for record in going)


def prune(store: ProcessingCache, limit_bytes: int, *, is_dry: bool) -> Pruned:
    """Bring a store below a limit, and remove what is broken or left over."""
    records = list(_light(store))
    lost = orphans(store, records)
    too_many_bytes = files_bytes(store) - sum(lost.values()) - limit_bytes
    going = to_evict(records, store.used_s, too_many_bytes)
    return _pruned(store, replace(_rubbish(store, lost), records=tuple(going)), is_dry=is_dry)


def clear(store: ProcessingCache, which: Filter, *, is_dry: bool) -> Pruned:
    """Remove the records that are meant, whatever their tier.

    Where all are meant, what is broken or left over goes too.
    """
    is_all = which == Filter()
    rubbish = _rubbish(store, orphans(store, _light(store))) if is_all else Pruned()
    return _pruned(store, replace(rubbish, records=tuple(chosen(store, which))), is_dry=is_dry)


def _rubbish(store: ProcessingCache, lost: Mapping[str, int]) -> Pruned:
    """Return what is of no use to anybody."""
    folders = sorted(f.name for f in (store.folder / "work").iterdir() if is_left_over(f.name))
    return Pruned((), tuple(lost), tuple(store.broken()), tuple(folders), sum(lost.values()))


def _pruned(store: ProcessingCache, plan: Pruned, *, is_dry: bool) -> Pruned:
    """Carry out a plan, unless it is only to be told; return it with its figures."""
    freed_bytes = plan.freed_bytes + _freed(store, plan.records)
    left_bytes = files_bytes(store) - freed_bytes
    if not is_dry:
        if plan.work_folders:
            store.sweep()
        if plan.broken:
            store.remove_damaged(plan.broken)
        store.remove(record.key for record in plan.records)
        for digest in plan.orphans:
            store.remove_file(digest)
        left_bytes = files_bytes(store)
    return replace(plan, freed_bytes=freed_bytes, left_bytes=left_bytes)


def orphans(store: ProcessingCache, records: Iterable[Record]) -> dict[str, int]:
    """Return digest and bytes of the files that no record names, and that are not new.

    What is no file of the store, by name or place, is left alone.
    """
    named = {blob.digest for record in records for blob in record.blobs.values()}
    now_s = time.time()
    found = {}
    for digest, path, size_bytes in store.blob_files():
        if digest in named or not is_digest(digest) or path != store.blob_path(digest):
            continue
        with suppress(OSError):  # another process removed it meanwhile
            if now_s - path.lstat().st_mtime > ORPHAN_S:
                found[digest] = size_bytes
    return found


def damage(store: ProcessingCache) -> dict[str, tuple[str, str]]:
    """Return step and what is wrong, by key, of every damaged record. Reads every file.

    The step is empty where it cannot be read. Another version's record is no damage.
    """
    told = {record.key: (record.step, store.damaged(record)) for record in _light(store)}
    found = {key: each for key, each in told.items() if each[1]}
    broken = set(store.broken()) - set(store.other_versions())
    found |= dict.fromkeys(broken, ("", "the record is damaged"))
    if not found:
        return {}
    # Nor is what another process evicted meanwhile.
    there = {record.key for record in _light(store)} | set(store.broken())
    return {key: each for key, each in found.items() if key in there}


def verify(store: ProcessingCache, *, is_dry: bool) -> Damage:
    """Compare every record and file with its digest; remove what is damaged or left over.

    Records of another version stay, for it may still be in use.
    """
    damaged, others = damage(store), store.other_versions()
    whole = sum(record.key not in damaged for record in _light(store))
    if damaged and not is_dry:
        store.remove_damaged(damaged)
    lost = orphans(store, _light(store))
    for digest in () if is_dry else lost:
        store.remove_file(digest)
    return Damage(damaged, tuple(others), lost, whole)


def stats(store: ProcessingCache, last: int = 10) -> dict[str, Any]:
    """Return what the store holds and what it saved, as a JSON document.

    Args:
        store: the store.
        last: how many runs to look back.
    """
    records = list(_light(store))
    runs = [_run_stats(run) for run in store.runs()[:last]]
    by_video = _sums((digest, record) for record in records for digest in record.footage)
    return {
        "folder": str(store.folder),
        "limit_bytes": store.limit_bytes,
        "files_bytes": files_bytes(store),
        "disk_bytes": _bytes_below(store.folder),
        "entries": len(records),
        "steps": _sums((record.step, record) for record in records),
        "tiers": _sums((record.tier, record) for record in records),
        "videos": [
            {"digest": digest, "path": where(store, digest), **sums}
            for digest, sums in by_video.items()
        ],
        "runs": runs,
        "together": {
            **_rate(sum(run["hits"] for run in runs), sum(run["misses"] for run in runs)),
            "saved_s": round(sum(run["saved_s"] for run in runs), 1),
            "saved_bytes": sum(run["saved_bytes"] for run in runs),
        },
    }


def where(store: ProcessingCache, digest: str) -> str:
    """Return where a film was seen last, or its digest where that is not known."""
    return next((str(path) for path in store.known_paths([digest])), digest[:12])


def film_of(store: ProcessingCache, video: str) -> str:
    """Return the digest of a film, given by its path or digest; it may be gone meanwhile.

    Raises:
        BadInput: there is no such file, and no run worked on one of that path.
    """
    path = Path(video)
    if is_digest(video):
        return video
    if not path.exists():
        for run in store.runs():
            for each in run["videos"]:
                if each["digest"] and Path(each["path"]).absolute() == path.absolute():
                    return str(each["digest"])
    return store.digest_of(path)


def _light(store: ProcessingCache) -> Iterator[Record]:
    """Yield the records without their values and fields, which may be large."""
    return (replace(record, value=None, fields={}) for record in store.records())


def _bytes_below(folder: Path) -> int:
    """Return the bytes of all files below a folder, one with several links counted once."""
    sizes = {}
    for path in folder.rglob("*"):
        with suppress(OSError):
            found = path.lstat()
            sizes[found.st_ino] = found.st_size if path.is_file() else 0
    return sum(sizes.values())


def _sums(pairs: Iterable[tuple[str, Record]]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for name, record in pairs:
        sums = out.setdefault(name, {"entries": 0, "bytes": 0})
        sums["entries"] += 1
        sums["bytes"] += record.size_bytes
    return out


def _rate(hits: int, misses: int) -> dict[str, Any]:
    rate = round(hits / (hits + misses), 3) if hits + misses else None
    return {"hits": hits, "misses": misses, "hit_rate": rate}


def _run_stats(run: Mapping[str, Any]) -> dict[str, Any]:
    states = [line["state"] for line in run["steps"]]
    return {
        "id": run["id"],
        "videos": [video["path"] for video in run["videos"]],
        "ok": run["ok"],
        "wall_s": run["wall_s"],
        **_rate(states.count("hit"), states.count("miss")),
        "saved_s": round(sum(line["saved_s"] for line in run["steps"]), 1),
        "saved_bytes": sum(line["saved_bytes"] for line in run["steps"]),
    }


def _freed(store: ProcessingCache, going: Sequence[Record]) -> int:
    """Return the bytes of files that nobody names once some records are gone."""
    gone = {record.key for record in going}
    kept = {b.digest for r in _light(store) if r.key not in gone for b in r.blobs.values()}
    files = {b.digest: b.size_bytes for r in going for b in r.blobs.values()}
    return sum(size_bytes for digest, size_bytes in files.items() if digest not in kept)
