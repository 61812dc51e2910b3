"""What this process and its children use: CPU time and memory."""

from __future__ import annotations

import resource
import threading

import psutil

LOOK_S = 0.5
"""How often the memory is looked at."""


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
    total = 0
    for member in (process, *process.children(recursive=True)):
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total
