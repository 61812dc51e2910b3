"""The store: results as JSON under their key, media and arrays as files under their digest.

Everything is written whole under a temporary name, then renamed. A damaged, truncated, vanished or
foreign entry is a miss: it is reported, removed, and made again. Never pickle.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import platform
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diskcache
import platformdirs

from tasks.errors import BadInput, FinecutError
from tasks.media.digest import file_digest

log = logging.getLogger("finecut.store")

INDEX_BYTES = 4 << 30
"""Room for the JSON results; diskcache's own silent limit of 1 GB is no limit to rely on."""

SCHEMA = "finecut/Entry.1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored result."""

    value: Any
    """Plain JSON."""
    blobs: Mapping[str, Path] = field(default_factory=dict)
    """Files by name; read them, never write to them."""


def default_folder() -> Path:
    """Return the folder: `FINECUT_CACHE`, else data/cache of a checkout, else the user's."""
    named = os.environ.get("FINECUT_CACHE")
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "data").is_dir():
        return checkout / "data" / "cache"
    return platformdirs.user_cache_path("finecut") / "store"


class ProcessingCache:
    """Results by key, in one folder; safe for several threads and processes at once.

    Raises:
        BadInput: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs"
        self._work = folder / "work"
        try:
            for needed in (self._blobs, self._work):
                needed.mkdir(parents=True, exist_ok=True)
            self._index = diskcache.Cache(
                str(folder / "index"),
                disk=diskcache.JSONDisk,
                size_limit=INDEX_BYTES,
                eviction_policy="least-recently-used",
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> FinecutError:
        if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
            return FinecutError(
                f"the disk of the store is full: {self.folder}",
                "free some space, or set FINECUT_CACHE to a folder on a larger disk; "
                "the same command then goes on",
            )
        return BadInput(
            f"the store at {self.folder} cannot be used: {error}",
            "set FINECUT_CACHE to a folder that can be written to",
        )

    def get(self, key: str, validator: Callable[[Entry], bool] | None = None) -> Entry | None:
        """Return what is stored under a key, or none; a bad entry is reported and removed."""
        try:
            stored = self._index.get(key)
        except (OSError, sqlite3.Error, ValueError) as error:
            log.warning("the store's entry %s cannot be read (%s): made again", key[:12], error)
            return None
        if stored is None:
            return None
        entry = self._checked(stored)
        if entry is None or (validator is not None and not validator(entry)):
            log.warning("the store's entry %s is damaged: made again", key[:12])
            with suppress(sqlite3.Error):
                self._index.delete(key)
            return None
        return entry

    def set(self, key: str, value: Any, blobs: Mapping[str, Path] | None = None) -> Entry:
        """Store JSON and files under a key; the files are moved into the store.

        Returns:
            The entry as it is stored, whose files lie in the store.

        Raises:
            FinecutError: the store's disk is full, or it cannot be written to (BadInput).
        """
        try:
            kept = {name: self._keep(path) for name, path in (blobs or {}).items()}
            self._index.set(key, {"schema": SCHEMA, "value": value, "blobs": kept})
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        return Entry(value, {name: self._blob_path(blob["digest"]) for name, blob in kept.items()})

    def known_paths(self, digests: Iterable[str]) -> list[Path]:
        """Return where files were seen last, for those digests that were seen at all."""
        entries = [self.get(f"path:{digest}") for digest in digests]
        return [Path(entry.value) for entry in entries if entry and isinstance(entry.value, str)]

    def work_folder(self) -> Path:
        """Return a new empty folder on the store's own disk; whoever asked for it removes it."""
        folder = self._work / f"{os.getpid()}-{platform.node()}-{secrets.token_hex(6)}"
        try:
            folder.mkdir()
        except OSError as error:
            raise self._unusable(error) from error
        return folder

    def sweep(self) -> None:
        """Remove the work folders of this machine's processes that are gone."""
        for folder in self._work.iterdir():
            pid, _, rest = folder.name.partition("-")
            is_here = rest.rpartition("-")[0] == platform.node()
            if is_here and pid.isdigit() and not _is_alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)

    def _blob_path(self, digest: str) -> Path:
        return self._blobs / digest[:2] / digest

    def _keep(self, path: Path) -> dict[str, Any]:
        digest = file_digest(path)
        size_bytes = path.stat().st_size
        target = self._blob_path(digest)
        target.parent.mkdir(exist_ok=True)
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        path.replace(target)
        return {"digest": digest, "size_bytes": size_bytes}

    def _checked(self, stored: Any) -> Entry | None:
        """Return the entry, or none where it is foreign or one of its files is not what it was."""
        if not isinstance(stored, dict) or stored.get("schema") != SCHEMA:
            return None
        blobs: dict[str, Path] = {}
        for name, blob in stored.get("blobs", {}).items():
            path = self._blob_path(str(blob.get("digest")))
            try:
                same = path.is_file() and file_digest(path) == blob.get("digest")
            except BadInput:
                same = False
            if not same:
                if path.is_file():
                    path.unlink(missing_ok=True)
                return None
            blobs[name] = path
        return Entry(stored.get("value"), blobs)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remembered_digest(store: ProcessingCache, path: Path) -> str:
    """Return a file's digest; a file seen before (same path, size, time and inode) is not read.

    Raises:
        BadInput: the file is missing or cannot be read.
    """
    try:
        stat = path.stat()
    except OSError:
        return file_digest(path)
    seen = json.dumps([str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ino])
    key = f"digest:{seen}"
    known = store.get(key)
    if known is not None and isinstance(known.value, str):
        return known.value
    digest = file_digest(path)
    store.set(key, digest)
    store.set(f"path:{digest}", str(path.absolute()))
    return digest
