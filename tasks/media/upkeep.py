"""Keeping a store in order: what is in it, what may go, what is damaged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.media.records import Record
from tasks.media.store import ProcessingCache

CONDITIONAL = "conditional"

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
    freed_bytes: int = 0


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
    """Return the records that are meant, newest first."""
    now_s = time.time()
    found = [record for record in store.records() if which.matches(record, now_s)]
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
    candidates = [record for record in records if record.tier == CONDITIONAL and record.blobs]
    for record in sorted(candidates, key=lambda record: used_s(record.key)):
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
    going = to_evict(list(store.records()), store.used_s, total - int(limit * ROOM))
    return store.remove(record.key for record in going)


def prune(store: ProcessingCache, limit_bytes: int, *, is_dry: bool) -> Pruned:
    """Bring a store below a limit, and remove what is broken or left over."""
    records = list(store.records())
    too_many = files_bytes(store) - limit_bytes
    going = to_evict(records, store.used_s, too_many) if too_many > 0 else []
    lost, broken = orphans(store, records), store.broken()
    freed_bytes = _freed(records, going) + sum(lost.values())
    if not is_dry:
        store.sweep()
        store.remove(record.key for record in going)
        store.remove(broken, damaged=True)
        for digest in lost:
            store.remove_file(digest)
    return Pruned(tuple(going), tuple(lost), tuple(broken), freed_bytes)


def clear(store: ProcessingCache, which: Filter, *, is_dry: bool) -> Pruned:
    """Remove the records that are meant, whatever their tier."""
    going = chosen(store, which)
    freed_bytes = _freed(list(store.records()), going)
    if not is_dry:
        store.remove(record.key for record in going)
    return Pruned(tuple(going), freed_bytes=freed_bytes)


def orphans(store: ProcessingCache, records: Iterable[Record]) -> dict[str, int]:
    """Return digest and bytes of the files that no record names, and that are not new."""
    named = {blob.digest for record in records for blob in record.blobs.values()}
    now_s = time.time()
    return {
        digest: size_bytes
        for digest, path, size_bytes in store.blob_files()
        if digest not in named and now_s - path.lstat().st_mtime > ORPHAN_S
    }


def damage(store: ProcessingCache) -> dict[str, tuple[str, str]]:
    """Return step and what is wrong, by key, of every damaged record. Reads every file."""
    found = {record.key: (record.step, store.damaged(record)) for record in store.records()}
    found |= dict.fromkeys(store.broken(), ("unknown", "damaged, or of another version"))
    return {key: told for key, told in found.items() if told[1]}


def stats(store: ProcessingCache, last: int = 10) -> dict[str, Any]:
    """Return what the store holds and what it saved, as a JSON document.

    Args:
        store: the store.
        last: how many runs to look back.
    """
    records = list(store.records())
    films = {digest for record in records for digest in record.footage}
    return {
        "folder": str(store.folder),
        "limit_bytes": store.limit_bytes,
        "files_bytes": files_bytes(store),
        "entries": len(records),
        "steps": _sums((record.step, record) for record in records),
        "tiers": _sums((record.tier, record) for record in records),
        "videos": [
            {"digest": digest, "path": where(store, digest), **sums}
            for digest, sums in _sums(
                (digest, record) for record in records for digest in record.footage
            ).items()
            if digest in films
        ],
        "runs": [_run_stats(run) for run in store.runs()[:last]],
    }


def where(store: ProcessingCache, digest: str) -> str:
    """Return where a film was seen last, or its digest where that is not known."""
    return next((str(path) for path in store.known_paths([digest])), digest[:12])


def _sums(pairs: Iterable[tuple[str, Record]]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for name, record in pairs:
        sums = out.setdefault(name, {"entries": 0, "bytes": 0})
        sums["entries"] += 1
        sums["bytes"] += record.size_bytes
    return out


def _run_stats(run: Mapping[str, Any]) -> dict[str, Any]:
    states = [line["state"] for line in run["steps"]]
    hits, misses = states.count("hit"), states.count("miss")
    return {
        "id": run["id"],
        "videos": [video["path"] for video in run["videos"]],
        "ok": run["ok"],
        "wall_s": run["wall_s"],
        "hits": hits,
        "misses": misses,
        "hit_rate": round(hits / (hits + misses), 3) if hits + misses else None,
        "saved_s": round(sum(line["saved_s"] for line in run["steps"]), 1),
        "saved_bytes": sum(line["saved_bytes"] for line in run["steps"]),
    }


def _freed(records: Sequence[Record], going: Sequence[Record]) -> int:
    """Return the bytes of files that nobody names once some records are gone."""
    gone = {record.key for record in going}
    kept = {b.digest for r in records if r.key not in gone for b in r.blobs.values()}
    files = {b.digest: b.size_bytes for r in going for b in r.blobs.values()}
    return sum(size_bytes for digest, size_bytes in files.items() if digest not in kept)
