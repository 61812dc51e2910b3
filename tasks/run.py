"""What the steps of one run share: the store, where the footage lies, who listens, and a stop."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from tasks.errors import Interrupted
from tasks.media.store import ProcessingCache, default_folder
from tasks.media.usage import PeakMemory, cpu_s
from tasks.render.report import StepRecord

T = TypeVar("T")


class Held(Generic[T]):
    """A large value, handed to a task without Prefect walking through it in search of futures."""

    def __init__(self, value: T) -> None:
        self.value = value


class Listener(Protocol):
    """Who is told how a run gets on; called from several threads."""

    def started(self, step: str) -> None: ...
    def finished(self, record: StepRecord) -> None: ...
    def frames(self, done: int, total: int) -> None: ...


class _Nobody:
    def started(self, step: str) -> None:
        """Nobody listens."""

    def finished(self, record: StepRecord) -> None:
        """Nobody listens."""

    def frames(self, done: int, total: int) -> None:
        """Nobody listens."""


_listener: ContextVar[Listener] = ContextVar("finecut_listener")


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` be told of the runs that start inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


_active: weakref.WeakSet[Run] = weakref.WeakSet()


def stop_all() -> None:
    """Stop every run of this process: what is finished is kept, every FFmpeg is ended."""
    for run in list(_active):
        run.stop()


class Run:
    """One run. A plain class, so that Prefect hands it to tasks without looking inside."""

    def __init__(self, footage: Mapping[str, Path], store: ProcessingCache | None = None) -> None:
        self.store = store or ProcessingCache(default_folder())
        self.store.sweep()
        self.footage = dict(footage)
        """Where each source lies, by digest."""
        self.listener = _listener.get(_Nobody())
        self.records: list[StepRecord] = []
        self.warnings: list[str] = []
        self.started_s = time.monotonic()
        self.cpu_before_s = cpu_s()
        self.frames_total = 0
        self.memory = PeakMemory()
        # A run that fails is asked for no report: its watch ends with it.
        weakref.finalize(self, self.memory.end)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._frames_done = 0
        _active.add(self)

    def cancelled(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """End the run: every FFmpeg that it started is killed within a second."""
        self._stop.set()

    def stoppable(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, until the run is stopped.

        Raises:
            Interrupted: the run was stopped.
        """
        for item in items:
            if self.cancelled():
                raise Interrupted("the run was cancelled", "give the same command again to go on")
            yield item

    def record(self, record: StepRecord) -> None:
        with self._lock:
            self.records.append(record)
        self.listener.finished(record)

    def warn(self, text: str) -> None:
        with self._lock:
            if text not in self.warnings:
                self.warnings.append(text)

    def add_frames(self, count: int) -> None:
        with self._lock:
            self._frames_done += count
            done = self._frames_done
        self.listener.frames(done, self.frames_total)
