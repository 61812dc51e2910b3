"""A store that hides some results and compares what is computed in their place.

The check that a kept result is what would come out today: a run is given such a store, works the
hidden results out again, and everything else is found as always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.media.digest import file_digest
from tasks.media.records import Entry, Keyed, Record
from tasks.media.store import ProcessingCache
from tasks.timeline.document import to_canonical_json


@dataclass(frozen=True, slots=True)
class Finding:
    """One result that was computed again."""

    key: str
    difference: str
    """What is not the same; empty where all is."""


class Audit(ProcessingCache):
    """A view of a store.

    Args:
        store: what is looked at; nothing in it is replaced.
        hidden: the results that are to be computed again.
    """

    def __init__(self, store: ProcessingCache, hidden: Iterable[Record]) -> None:
        super().__init__(store.folder, limit_bytes=store.limit_bytes)
        self._hidden = {record.key: record for record in hidden}
        self._answers = {record.key for record in store.records() if record.step == "edit"}
        self.findings: list[Finding] = []

    def get(
        self,
        key: str,
        validator: Callable[[Entry], bool] | None = None,
        *,
        hold: Path | None = None,
    ) -> Entry | None:
        """Return what is stored, but for what is hidden and for answers to whole edits."""
        if key in self._answers or key in self._hidden:
            return None
        return super().get(key, validator, hold=hold)

    def set(
        self,
        key: Keyed,
        value: Any,
        blobs: Mapping[str, Path] | None = None,
        *,
        seconds: float = 0.0,
        hold: Path | None = None,
    ) -> Entry:
        """Compare a hidden result with what is stored; store what is not there at all."""
        kept = self._hidden.get(key.digest)
        if kept is None and key.step != "edit":
            return super().set(key, value, blobs, seconds=seconds, hold=hold)
        folder = hold or self.work_folder()
        digests = {name: file_digest(path) for name, path in (blobs or {}).items()}
        if kept is not None:
            self.findings.append(Finding(key.digest, _difference(kept, value, digests)))
        paths = {}
        for name, path in (blobs or {}).items():
            paths[name] = path.replace(folder / f"again-{digests[name]}")
        return Entry(value, paths, seconds)

    def note_run(self, document: Mapping[str, Any]) -> None:
        """Keep nothing: this is no run of the user's."""

    def note_film(self, digest: str, document: Mapping[str, Any]) -> None:
        """Keep nothing."""


def _difference(kept: Record, value: Any, digests: Mapping[str, str]) -> str:
    """Return what of a result is not as it was kept."""
    was = {name: blob.digest for name, blob in kept.blobs.items()}
    names = sorted(
        name for name in was.keys() | digests.keys() if was.get(name) != digests.get(name)
    )
    parts = [f"{name} has other bytes" for name in names]
    if to_canonical_json(kept.value) != to_canonical_json(value):
        parts.insert(0, "another value")
    return "; ".join(parts)
