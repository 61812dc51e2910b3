"""What the store knows besides results: values, films, runs, and where files were seen last."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.media.digest import file_digest
from tasks.media.index import Index
from tasks.media.records import json_digest

RUNS_KEPT = 200


class Notes:
    """The documents in an index: small, of this machine alone, and never evicted.

    No film depends on a note: one that cannot be written is done without.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def note(self, value: Any) -> str:
        """Keep a JSON value under its digest, and return that."""
        digest = json_digest(value)
        self._keep(f"noted:{digest}", value)
        return digest

    def noted(self, digest: str) -> Any | None:
        """Return the JSON value of a digest, where it was noted."""
        return self._index.get(f"noted:{digest}")

    def note_film(self, digest: str, document: Mapping[str, Any]) -> None:
        """Keep what is known of a film, given by its digest, as one JSON document."""
        self._keep(f"film:{digest}", dict(document))

    def film(self, digest: str) -> dict[str, Any] | None:
        """Return what is known of a film as one JSON document."""
        found = self._index.get(f"film:{digest}")
        return found if isinstance(found, dict) else None

    def note_run(self, document: Mapping[str, Any]) -> None:
        """Keep the document of a run; the oldest of too many goes."""
        self._keep(f"run:{document['id']}", dict(document))
        with suppress(OSError, sqlite3.Error), self._index.transact():
            ids = sorted({*self._run_ids(), str(document["id"])})
            for old in ids[:-RUNS_KEPT]:
                self._index.delete(f"run:{old}")
            self._index.set("runs", ids[-RUNS_KEPT:])

    def runs(self) -> list[dict[str, Any]]:
        """Return the documents of the runs that are known, newest first."""
        found = (self._index.get(f"run:{each}") for each in reversed(self._run_ids()))
        return [document for document in found if isinstance(document, dict)]

    def _run_ids(self) -> list[str]:
        found = self._index.get("runs")
        return found if isinstance(found, list) else []

    def known_paths(self, digests: Iterable[str]) -> list[Path]:
        """Return where files were seen last, for those digests that were seen at all."""
        found = (self._index.get(f"path:{digest}") for digest in digests)
        return [Path(path) for path in found if isinstance(path, str)]

    def digest_of(self, path: Path) -> str:
        """Return a file's digest; one seen before (same path, size, time, inode) is not read.

        Raises:
            BadInput: the file is missing or cannot be read.
        """
        try:
            stat = path.stat()
        except OSError:
            return file_digest(path)
        seen = json.dumps([str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ino])
        known = self._index.get(f"digest:{seen}")
        if isinstance(known, str):
            return known
        digest = file_digest(path)
        self._keep(f"digest:{seen}", digest)
        self._keep(f"path:{digest}", str(path.absolute()))
        return digest

    def _keep(self, name: str, value: Any) -> None:
        with suppress(OSError, sqlite3.Error):
            self._index.set(name, value)
