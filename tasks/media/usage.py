"""What this process and its children use: CPU time and memory."""

from __future__ import annotations

import ctypes
import resource
import threading
import time

import psutil

LOOK_S = 0.5
"""How often the memory is looked at."""


M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Names of glibc's settings (malloc.h)."""

LARGE_BYTES = 2_000_000
ARENAS = 2

FORKED_S = 0.2
"""A child this young may still be a copy of its parent, which counts nothing of its own."""


def keep_heap_small() -> None:
    """Let the memory of large things go back to the system at once when they are freed.

    A container's index of an hour of footage takes some 15 MB, and is made and freed for each
    chunk. By default glibc would come to take such blocks from the heaps of several threads, where
    they leave holes: the peak of an hour's render measured 1.13 times that of ten minutes, with
    this 1.07. Without glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(M_ARENA_MAX, ARENAS)


def cpu_s() -> float:
    """Return the CPU seconds that this process and the children it waited for have used."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


class PeakMemory:
    """The most memory that this process and its children held together."""

    def __init__(self) -> None:
        self._peak_bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            self._peak_bytes = max(self._peak_bytes, _tree_bytes(process))
            if self._done.wait(LOOK_S):
                return

    def end(self) -> None:
        """Let the watch end by itself; does not wait for it."""
        self._done.set()

    def stop(self) -> int:
        """Stop looking and return the peak in bytes."""
        self.end()
        self._thread.join()
        return self._peak_bytes


def _tree_bytes(process: psutil.Process) -> int:
    """Return the resident bytes of a process and its children."""
    total, born_s = 0, time.time() - FORKED_S
    for member in (process, *process.children(recursive=True)):
        try:
            if member is process or member.create_time() < born_s:
                total += member.memory_info().rss
        except psutil.Error:
            continue
    return total
