"""The index of a store: JSON by name, on diskcache; what is damaged is absent, with a warning.

A value that cannot be read is as good as none. A database that SQLite finds damaged is moved aside
whole, and a new one is begun: what was in it is made again.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import diskcache

T = TypeVar("T")

log = logging.getLogger("finecut.store")

LIMIT_BYTES = 1 << 40
"""The index never evicts by itself (diskcache would, silently, at 1 GB): `upkeep.evict` does."""

TIMEOUT_S = 60.0
"""How long to wait for another process that writes."""

UNREADABLE = (ValueError, zlib.error, EOFError)
"""What a value or a name raises whose bytes were spoiled."""


NOT_DAMAGE = ("locked", "busy", "full", "readonly", "unable to open", "disk I/O", "interrupted")
"""What SQLite says of a database that is whole, but cannot be used just now."""


class Index:
    """JSON values by name; safe for several threads and processes at once.

    Args:
        folder: where the database lies.
        warn: told what was found damaged.

    Raises:
        OSError, sqlite3.Error: the folder cannot be written to, its disk is full, or another
            process has held the database for `TIMEOUT_S`. So does every method.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._warn = warn
        self._lock = threading.Lock()
        if (folder / "cache.db").is_dir():
            self._move_aside("it is a folder")
        try:
            self._cache = self._open()
        except Exception as error:
            if not _is_damage(error):
                raise
            self._move_aside(str(error))
            self._cache = self._open()

    def get(self, name: str) -> Any:
        """Return a value; none where there is none, or where it cannot be read."""
        try:
            return self._sound(lambda cache: cache.get(name))
        except UNREADABLE as error:
            self._warn(f"the store's entry {name[:20]} cannot be read ({error}): made again")
            return None

    def set(self, name: str, value: Any) -> None:
        self._sound(lambda cache: cache.set(name, value))

    def add(self, name: str, value: Any, expire_s: float | None = None) -> bool:
        """Set a value unless there is one; return whether it was set."""
        return bool(self._sound(lambda cache: cache.add(name, value, expire=expire_s)))

    def touch(self, name: str, expire_s: float) -> None:
        """Let a value expire in so many seconds from now."""
        self._sound(lambda cache: cache.touch(name, expire=expire_s))

    def delete(self, name: str) -> bool:
        return bool(self._sound(lambda cache: cache.delete(name)))

    @contextmanager
    def transact(self) -> Iterator[None]:
        """Return a context in which no other process changes anything."""
        try:
            with self._cache.transact():
                yield
        except diskcache.Timeout as error:
            raise sqlite3.OperationalError("it is locked, or cannot be written to") from error

    def names(self) -> Iterator[str]:
        """Yield all names that can be read."""
        found = self._sound(iter)
        while True:
            try:
                name = next(found)
            except StopIteration:
                return
            except (*UNREADABLE, sqlite3.Error) as error:
                self._warn(f"a part of the store's index cannot be read ({error})")
                return
            if isinstance(name, str):
                yield name

    def _open(self) -> Any:
        return diskcache.Cache(
            str(self._folder),
            disk=diskcache.JSONDisk,
            size_limit=LIMIT_BYTES,
            eviction_policy="none",
            timeout=TIMEOUT_S,
        )

    def _sound(self, work: Callable[[Any], T]) -> T:
        """Do something with the database; one that is damaged is replaced first."""
        cache = self._cache
        try:
            return work(cache)
        except diskcache.Timeout as error:  # also where SQLite says at once that it cannot write
            raise sqlite3.OperationalError("it is locked, or cannot be written to") from error
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            with self._lock:
                if self._cache is cache:
                    cache.close()
                    self._move_aside(str(error))
                    self._cache = self._open()
            return work(self._cache)

    def _move_aside(self, why: str) -> None:
        aside = self._folder.with_name(f"{self._folder.name}-damaged-{secrets.token_hex(3)}")
        with suppress(FileNotFoundError):  # another process was quicker
            self._folder.rename(aside)
        self._warn(f"the store's index is damaged ({why}): moved to {aside}, and begun anew")


def _is_damage(error: Exception) -> bool:
    """Return whether an error says that the database itself is spoiled."""
    if isinstance(error, sqlite3.OperationalError):
        return not any(sign in str(error) for sign in NOT_DAMAGE)
    return not isinstance(error, OSError)
