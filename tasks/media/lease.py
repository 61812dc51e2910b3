"""Leases: two processes that need the same result compute it once.

A lease is an entry of the store's index that expires. Its holder renews it while it works; when the
holder is killed, whoever waits takes it over once it has expired, or at once where the holder ran
on this machine and is seen to be gone. Where a holder was only held up for longer (a suspended
machine), two work on the same thing: both results are whole, and the later one stays.
"""

from __future__ import annotations

import os
import platform
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from tasks.media.index import Index

LEASE_S = 15.0
"""How long a lease lasts that nobody renews: what others wait at most for a holder that is lost."""

RENEW_S = LEASE_S / 5
LOOK_S = 0.1
"""How often those who wait look again."""


@contextmanager
def leased(
    index: Index,
    name: str,
    *,
    lease_s: float = LEASE_S,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Hold the lease `name` while the block runs; wait for it first.

    Args:
        index: where leases are kept, shared by all who ask for them.
        name: what the lease is for.
        lease_s: how long it lasts without being renewed.
        cancelled: asked while waiting; when it says so, the block runs without the lease, for
            whoever was cancelled finds out by itself.
    """
    entry = f"lease:{name}"
    me = {"node": platform.node(), **_identity(os.getpid()), "token": secrets.token_hex(8)}
    while not index.add(entry, me, expire_s=lease_s):
        if cancelled():
            break
        if not _take_over(index, entry):
            time.sleep(LOOK_S)
    done = threading.Event()
    keeper = threading.Thread(target=_renew, args=(index, entry, me, lease_s, done), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        with suppress(sqlite3.Error):  # then it expires by itself
            _drop(index, entry, me)


def _identity(pid: int) -> dict[str, Any]:
    """Return what tells a process from a later one of the same number."""
    try:
        return {"pid": pid, "born_s": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": pid, "born_s": 0.0}


def _renew(
    index: Index, entry: str, me: dict[str, Any], lease_s: float, done: threading.Event
) -> None:
    while not done.wait(min(RENEW_S, lease_s / 5)):
        with suppress(sqlite3.Error), index.transact():
            if index.get(entry) == me:
                index.touch(entry, expire_s=lease_s)


def _take_over(index: Index, entry: str) -> bool:
    """Remove a lease whose holder ran on this machine and is gone."""
    holder = index.get(entry)
    if not isinstance(holder, dict) or holder.get("node") != platform.node():
        return False
    if holder.get("born_s") == _identity(int(holder.get("pid", 0)))["born_s"]:
        return False
    return _drop(index, entry, holder)


def _drop(index: Index, entry: str, holder: dict[str, Any]) -> bool:
    with index.transact():
        return index.get(entry) == holder and bool(index.delete(entry))
