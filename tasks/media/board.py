"""Small notes between the machines that share a store: beats of batches, cards of workers.

A note is of the moment: written over, never believed to be a result, and lost without harm. It
lies in the store's index, for processes that use the same folder, and in the shared tier, for
other machines.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tasks.media.index import Index

if TYPE_CHECKING:
    from tasks.media.shared import SharedTier

NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


class Board:
    """Notes by kind and name; what is no name (`is_name`) has none.

    Args:
        index: of the store.
        shared: gives the tier behind it, while there is one.
    """

    def __init__(self, index: Index, shared: Callable[[], SharedTier | None]) -> None:
        self._index = index
        self._shared = shared

    def post(self, kind: str, name: str, note: Mapping[str, Any]) -> None:
        """Write a note; one that cannot be written is done without."""
        if not is_name(name):
            return
        with suppress(OSError, sqlite3.Error):
            self._index.set(_entry(kind, name), dict(note))
        self._reach(lambda tier: tier.post(kind, name, json.dumps(dict(note)).encode()))

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return a note, or none where there is none or it cannot be read."""
        if not is_name(name):
            return None
        with suppress(OSError, sqlite3.Error):
            here = self._index.get(_entry(kind, name))
            if isinstance(here, dict):
                return here
        there = self._reach(lambda tier: tier.posted(kind, name))
        with suppress(TypeError, ValueError, RecursionError):
            note = json.loads(there)
            return note if isinstance(note, dict) else None
        return None

    def drop(self, kind: str, name: str) -> None:
        """Take a note down."""
        if not is_name(name):
            return
        with suppress(OSError, sqlite3.Error):
            self._index.delete(_entry(kind, name))
        self._reach(lambda tier: tier.drop(kind, name))

    def names(self, kind: str) -> list[str]:
        """Return the names of the notes of a kind, in order."""
        found = set(self._reach(lambda tier: tier.posted_names(kind)) or ())
        first = _entry(kind, "")
        with suppress(OSError, sqlite3.Error):
            found |= {n.removeprefix(first) for n in self._index.names() if n.startswith(first)}
        return sorted(filter(is_name, found))

    def _reach(self, work: Callable[[SharedTier], Any]) -> Any:
        tier = self._shared()
        if tier is None:
            return None
        from tasks.media.shared import SharedUnavailable

        with suppress(SharedUnavailable):
            return work(tier)
        return None


def is_name(text: str) -> bool:
    """Return whether a text may be the name of a note."""
    return NAME.fullmatch(text) is not None


def _entry(kind: str, name: str) -> str:
    return f"board:{kind}:{name}"
