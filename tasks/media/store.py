"""The store: results as JSON under their key, media and arrays as files under their digest.

Everything is written whole under a temporary name, then renamed. A damaged, truncated, vanished or
foreign entry is a miss: it is reported, removed, and made again; one of an older schema is a miss
without a word. Never pickle.

Beside results the index holds what belongs to this machine alone: where files were seen last, when
results were used, leases, the documents of films and of runs.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
import re
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from tasks.errors import BadInput, BadSettings, FinecutError
from tasks.media.blobs import Blob, Blobs, is_whole
from tasks.media.board import Board
from tasks.media.files import is_left_over
from tasks.media.index import Index
from tasks.media.lease import LEASE_S, leased
from tasks.media.notes import Notes
from tasks.media.orphans import end_servers
from tasks.media.records import (
    SCHEMA,
    Entry,
    Keyed,
    Record,
    check_of,
    is_digest,
    is_other_version,
    record_of,
)

if TYPE_CHECKING:
    from tasks.media.shared import SharedTier

log = logging.getLogger("finecut.store")

LIMIT_BYTES = 20_000_000_000
"""Room for the store unless `FINECUT_CACHE_LIMIT` says otherwise: some ten hours of film."""

LOCAL_STEPS = frozenset({"edit"})
"""Steps whose results speak of files on this machine, and are not shared."""


def default_folder() -> Path:
    """Return the folder: `FINECUT_CACHE`, else data/cache of a checkout, else the user's."""
    named = os.environ.get("FINECUT_CACHE")
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "data").is_dir():
        return checkout / "data" / "cache"
    return platformdirs.user_cache_path("finecut") / "store"


def open_store() -> ProcessingCache:
    """Return the store of this machine, with the shared tier where one is set.

    Raises:
        BadSettings: `FINECUT_CACHE_LIMIT` or `FINECUT_SHARED_CACHE` cannot be used.
        BadInput: the folder cannot be made or written to.
    """
    url = os.environ.get("FINECUT_SHARED_CACHE")
    shared = None
    if url:
        from tasks.media.shared import SharedTier

        shared = SharedTier(url)
    limit = os.environ.get("FINECUT_CACHE_LIMIT")
    limit_bytes = parsed_size(limit, "FINECUT_CACHE_LIMIT") if limit else LIMIT_BYTES
    return ProcessingCache(default_folder(), limit_bytes=limit_bytes, shared=shared)


def parsed_size(text: str, name: str) -> int:
    """Return the bytes that ``20GB`` or ``1.5GiB`` says.

    Raises:
        BadSettings: it is no size; says so of the setting `name`.
    """
    from pydantic import ByteSize, TypeAdapter, ValidationError

    slip = BadSettings(f"{name} is {text!r}, which is no size", "write 20GB or 500MB")
    if not re.fullmatch(r"\d+(\.\d+)?\s*[A-Za-z]*", text.strip()):  # ByteSize stops at a comma
        raise slip
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise slip from error


class ProcessingCache(Notes):
    """Results by key, in one folder; safe for several threads and processes at once.

    Args:
        folder: where it lies.
        limit_bytes: above this, conditional results go, the least recently used first.
        shared: a tier behind it that other machines use too; where that fails, a warning says so
            and the folder is used alone.

    Raises:
        BadInput: the folder cannot be made or written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int | None = None,
        shared: SharedTier | None = None,
    ) -> None:
        self.folder = folder
        self.limit_bytes = LIMIT_BYTES if limit_bytes is None else limit_bytes
        self.warnings: list[str] = []
        """What went wrong and was mended; for the report."""
        self.lost_shared = ""
        """Why the tier behind it was left out; empty while it is there, or where none was set."""
        self._shared = shared
        self._lock = threading.Lock()
        self._work = folder / "work"
        try:
            self._blobs = Blobs(folder / "blobs")
            self._work.mkdir(parents=True, exist_ok=True)
            index = Index(folder / "index", self._warn)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        super().__init__(index)
        self.board = Board(index, lambda: self._shared)
        """Notes between the processes and machines that use this store."""

    @property
    def is_shared(self) -> bool:
        """Return whether there is a tier behind this store, and it can be reached."""
        return self._shared is not None

    # Results

    def get(
        self,
        key: str,
        validator: Callable[[Entry], bool] | None = None,
        *,
        hold: Path | None = None,
    ) -> Entry | None:
        """Return what is stored under a key, or none; a bad entry is reported and removed.

        Args:
            key: a digest.
            validator: looks at the entry before it is believed.
            hold: a folder of the caller's: the entry's files are linked into it, so that they stay
                whatever is evicted. None: the files are those of the store.
        """
        if not is_digest(key):
            return None
        entry = self._get_here(key, validator, hold)
        if entry is None and self._shared is not None and self._fetch(key):
            entry = self._get_here(key, validator, hold)
        return entry

    def set(
        self,
        key: Keyed,
        value: Any,
        blobs: Mapping[str, Path] | None = None,
        *,
        seconds: float = 0.0,
        hold: Path | None = None,
    ) -> Entry:
        """Store JSON and files under a key; the files are moved into the store.

        Returns:
            The entry as it is stored.

        Raises:
            FinecutError: the store's disk is full, or it cannot be written to (BadInput).
        """
        try:
            kept = {name: self._blobs.keep(path, hold) for name, path in (blobs or {}).items()}
            record = _new_record(key, value, kept, seconds)
            self._index.set(key.digest, record)
            self._use(key.digest)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        self._share(key, record, kept)
        paths = {
            name: hold / blob.digest if hold else self._blobs.path(blob.digest)
            for name, blob in kept.items()
        }
        return Entry(value, paths, seconds, sum(blob.size_bytes for blob in kept.values()))

    def offer(self, key: Keyed, name: str, digest: str, path: Path) -> bool:
        """Put a file into the shared tier under a key, and leave it here where it is.

        Args:
            key: what the file is kept under.
            name: of the file in the entry.
            digest: of the file.
            path: where it lies.

        Returns:
            Whether it is there now.
        """
        if self._shared is None:
            return False
        from tasks.media.shared import SharedUnavailable

        try:
            self._shared.keep(digest, path)
            blob = Blob(digest, path.stat().st_size)
            self._shared.write(key.digest, _new_record(key, None, {name: blob}, 0.0))
        except SharedUnavailable as error:
            self._without_shared(error)
            return False
        return True

    def lease(
        self, key: str, *, cancelled: Callable[[], bool] = lambda: False, lease_s: float = LEASE_S
    ) -> AbstractContextManager[None]:
        """Return a context that one process holds at a time for a key (see `leased`)."""
        return leased(self._index, key, lease_s=lease_s, cancelled=cancelled)

    def _get_here(
        self, key: str, validator: Callable[[Entry], bool] | None, hold: Path | None
    ) -> Entry | None:
        try:
            stored = self._index.get(key)
        except (OSError, sqlite3.Error) as error:
            self._warn(f"the store's entry {key[:12]} cannot be read ({error}): made again")
            return None
        if stored is None or is_other_version(stored):
            return None
        record = record_of(key, stored)
        entry = self._entry(record, hold) if record else None
        if entry is None or (validator is not None and not validator(entry)):
            step = record.step if record else "entry"
            self._warn(f"the store's {step} {key[:12]} is damaged or incomplete: made again")
            self.remove_damaged([key])
            return None
        self._use(key)
        return entry

    def _entry(self, record: Record, hold: Path | None) -> Entry | None:
        """Return an entry whose files are found whole; none where one is not."""
        paths: dict[str, Path] = {}
        for name, blob in record.blobs.items():
            path = self._blobs.hold(blob.digest, hold) if hold else self._whole(blob)
            if path is None:
                return None
            paths[name] = path
        return Entry(record.value, paths, record.seconds, record.size_bytes)

    def _use(self, key: str) -> None:
        with suppress(sqlite3.Error):  # at worst it is evicted early
            self._index.set(f"used:{key}", time.time())

    # The shared tier

    def _fetch(self, key: str) -> bool:
        """Bring an entry from the shared tier into this store; return whether it came whole."""
        from tasks.media.shared import SharedUnavailable

        assert self._shared is not None
        folder = self.work_folder()
        try:
            stored = self._shared.read(key)
            record = record_of(key, stored) if stored is not None else None
            if record is None:
                return False
            for blob in record.blobs.values():
                if self._whole(blob) is None:
                    if not self._shared.fetch(blob.digest, folder / blob.digest):
                        return False
                    self._blobs.keep(folder / blob.digest)
            self._index.set(key, stored)
        except SharedUnavailable as error:
            self._without_shared(error)
            return False
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _share(self, key: Keyed, record: Mapping[str, Any], blobs: Mapping[str, Blob]) -> None:
        if self._shared is None or key.step in LOCAL_STEPS:
            return
        from tasks.media.shared import SharedUnavailable

        try:
            for blob in blobs.values():
                self._shared.keep(blob.digest, self._blobs.path(blob.digest))
            self._shared.write(key.digest, record)
        except SharedUnavailable as error:
            self._without_shared(error)
        except OSError as error:
            log.warning("a result was evicted before it could be shared: %s", error)

    def _without_shared(self, error: Exception) -> None:
        with self._lock:
            if self._shared is None:
                return
            url, self._shared = self._shared.url, None
            self.lost_shared = f"the shared store {url} is left out for now: {error}"
        self._warn(self.lost_shared)

    # Upkeep

    def records(self) -> Iterator[Record]:
        """Yield every whole record; damaged ones and those of other schemas are left out."""
        for key in self._keys():
            record = self._record(key)
            if record is not None:
                yield record

    def broken(self) -> list[str]:
        """Return the keys of records that are damaged, or of another schema."""
        return [key for key in self._keys() if self._record(key) is None]

    def other_versions(self) -> list[str]:
        """Return the keys of records that another version of finecut wrote."""
        return [key for key in self._keys() if is_other_version(self._index.get(key))]

    def damaged(self, record: Record) -> str:
        """Return which of a record's files are not whole; empty where all are. Reads them."""
        bad = [name for name, blob in record.blobs.items() if self._whole(blob) is None]
        return f"not whole: {', '.join(bad)}" if bad else ""

    def used_s(self, key: str) -> float:
        """Return when a result was made or read last, in unix time; 0 where that is not known."""
        used = self._index.get(f"used:{key}")
        return float(used) if isinstance(used, int | float) else 0.0

    def remove(self, keys: Iterable[str]) -> int:
        """Remove records and the files that no other record names; return the bytes freed."""
        going = set(keys)
        gone: set[str] = set()
        named: set[str] = set()
        for record in self.records():
            (gone if record.key in going else named).update(
                blob.digest for blob in record.blobs.values()
            )
        self._forget(going)
        return sum(self._blobs.remove(digest) for digest in gone - named)

    def remove_damaged(self, keys: Iterable[str]) -> None:
        """Remove records and those of their files that are damaged, whoever else names them."""
        going = set(keys)
        blobs = [blob for r in map(self._record, going) if r for blob in r.blobs.values()]
        self._forget(going)
        for blob in blobs:
            if self._whole(blob) is None:
                self._blobs.remove(blob.digest)

    def _forget(self, keys: Iterable[str]) -> None:
        with suppress(sqlite3.Error):
            for key in keys:
                self._index.delete(key)
                self._index.delete(f"used:{key}")

    def _whole(self, blob: Blob) -> Path | None:
        """Return where a file lies, read and found whole; else none."""
        path = self._blobs.path(blob.digest)
        return path if is_whole(path, blob.digest) else None

    def remove_file(self, digest: str) -> int:
        """Remove one file by its digest; return the bytes freed."""
        return self._blobs.remove(digest)

    def blob_path(self, digest: str) -> Path:
        return self._blobs.path(digest)

    def blob_files(self) -> Iterator[tuple[str, Path, int]]:
        """Yield digest, path and bytes of every file that is kept."""
        return self._blobs.files()

    def _keys(self) -> list[str]:
        return [key for key in self._index.names() if is_digest(key)]

    def _record(self, key: str) -> Record | None:
        try:
            return record_of(key, self._index.get(key))
        except (OSError, sqlite3.Error):
            return None

    # Work folders

    def work_folder(self) -> Path:
        """Return a new empty folder on the store's own disk; whoever asked for it removes it."""
        folder = self._work / f"{os.getpid()}-{platform.node()}-{secrets.token_hex(6)}"
        try:
            folder.mkdir()
        except OSError as error:
            raise self._unusable(error) from error
        return folder

    def sweep(self) -> int:
        """Remove the work folders of this machine's processes that are gone; return how many."""
        count = 0
        for folder in self._work.iterdir():
            if is_left_over(folder.name):
                end_servers(folder)
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count

    def _warn(self, text: str) -> None:
        log.warning("%s", text)
        with self._lock:
            self.warnings.append(text)

    def _unusable(self, error: Exception) -> FinecutError:
        if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
            return FinecutError(
                f"the disk of the store is full: {self.folder}",
                "free some space (`finecut cache prune`), or set FINECUT_CACHE to a folder on a "
                "larger disk; the same command then goes on",
            )
        return BadInput(
            f"the store at {self.folder} cannot be used: {error}",
            "set FINECUT_CACHE to a folder that can be written to",
        )


def _new_record(
    key: Keyed, value: Any, blobs: Mapping[str, Blob], seconds: float
) -> dict[str, Any]:
    """Return the record of a result, as the index and the shared tier hold it."""
    record = {
        "schema": SCHEMA,
        "step": key.step,
        "tier": key.tier,
        "fields": dict(key.fields),
        "footage": list(key.footage),
        "value": value,
        "blobs": {name: asdict(blob) for name, blob in blobs.items()},
        "seconds": round(seconds, 3),
        "made_s": time.time(),
    }
    record["check"] = check_of(record)
    return record
