"""What the steps of one run share: the store, where the footage lies, who listens, and a stop."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tasks.errors import BadInput, Interrupted
from tasks.keys import Key
from tasks.media.orphans import note_servers
from tasks.media.store import ProcessingCache, open_store
from tasks.media.upkeep import evict
from tasks.media.usage import PeakMemory, cpu_s
from tasks.render.history import RunRequest, run_document
from tasks.render.report import StepRecord

T = TypeVar("T")


class Held(Generic[T]):
    """A large value, handed to a task without Prefect walking through it in search of futures."""

    def __init__(self, value: T) -> None:
        self.value = value
        self.key: Key | None = None
        """Of the step that it is handed to, once that is known."""


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
_store: ContextVar[ProcessingCache] = ContextVar("finecut_store")


@contextmanager
def kept_in(store: ProcessingCache) -> Iterator[None]:
    """Let the runs that start inside the block use this store."""
    token = _store.set(store)
    try:
        yield
    finally:
        _store.reset(token)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` be told of the runs that start inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def run_id(started_s: float) -> str:
    """Return an id that sorts by the time of the start (unix time, in seconds)."""
    started = datetime.fromtimestamp(started_s, UTC)
    return f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


_active: weakref.WeakSet[Run] = weakref.WeakSet()


def stop_all() -> None:
    """Stop every run of this process: what is finished is kept, every FFmpeg is ended."""
    for run in list(_active):
        run.stop()


class Run:
    """One run. A plain class, so that Prefect hands it to tasks without looking inside."""

    def __init__(self, footage: Mapping[str, Path], store: ProcessingCache | None = None) -> None:
        self.store = store or _store.get(None) or open_store()
        self.store.sweep()
        self.hold = self.store.work_folder()
        """Links to the files that this run reads: nothing evicts them from under it."""
        weakref.finalize(self, shutil.rmtree, self.hold, ignore_errors=True)
        note_servers(self.hold)
        self.started_unix_s = time.time()
        self.id = run_id(self.started_unix_s)
        self.footage = dict(footage)
        """Where each source lies, by digest."""
        self.results: dict[str, Any] = {}
        """What the stored steps came to, by key."""
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
        self._given_up: dict[str, str] = {}
        self._frames_elsewhere = 0
        _active.add(self)

    def cancelled(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """End the run: every FFmpeg that it started is killed within a second."""
        self._stop.set()

    def give_up(self, encoder: str, reason: str) -> None:
        """End whatever an encoder draws, for it failed on one chunk; the first reason is kept."""
        with self._lock:
            self._given_up.setdefault(encoder, reason)

    def given_up(self, encoder: str) -> str:
        """Return why an encoder was given up; empty where it was not."""
        return self._given_up.get(encoder, "")

    def restart_frames(self) -> None:
        """Count the film's frames anew: it is drawn again from the start."""
        with self._lock:
            self._frames_done = self._frames_elsewhere = 0

    def stoppable(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, until the run is stopped.

        Raises:
            Interrupted: the run was stopped.
        """
        for item in items:
            if self.cancelled():
                raise Interrupted("the run was cancelled", "give the same command again to go on")
            yield item

    def check_footage(self, digests: Iterable[str]) -> None:
        """See that files are still what they were when the run began.

        Raises:
            BadInput: one was written to meanwhile: what was made of it is not to be believed.
        """
        for digest in digests:
            path = self.footage.get(digest)
            if path is not None and self.store.digest_of(path) != digest:
                raise BadInput(
                    f"{path} was changed while it was worked on",
                    "let what writes to it finish, then give the same command again",
                )

    def record(self, record: StepRecord) -> None:
        with self._lock:
            self.records.append(record)
        self.listener.finished(record)

    @contextmanager
    def noted(self, request: RunRequest) -> Iterator[None]:
        """Keep the document of this run when the block ends, however it ends; then make room."""
        error = ""
        try:
            yield
        except BaseException as caught:
            error = str(caught) or type(caught).__name__
            raise
        finally:
            wall_s = time.monotonic() - self.started_s
            with self._lock:
                document = run_document(
                    self.id, self.started_unix_s, wall_s, request, self.records, error
                )
            with suppress(OSError, sqlite3.Error):  # what went wrong before is to be told
                self.store.note_run(document)
                evict(self.store)

    def all_warnings(self) -> list[str]:
        """Return the warnings of the run and of its store."""
        with self._lock:
            return [*self.warnings, *dict.fromkeys(self.store.warnings)]

    def warn(self, text: str) -> None:
        with self._lock:
            if text not in self.warnings:
                self.warnings.append(text)

    def add_frames(self, count: int) -> None:
        with self._lock:
            self._frames_done += count
            # What was known to be done elsewhere is now here.
            self._frames_elsewhere = max(0, self._frames_elsewhere - count)
            done = self._frames_done + self._frames_elsewhere
        self.listener.frames(done, self.frames_total)

    def frames_elsewhere(self, count: int) -> None:
        """Say how many frames are done that this run has not taken yet."""
        with self._lock:
            self._frames_elsewhere = count
            done = self._frames_done + count
        self.listener.frames(done, self.frames_total)
