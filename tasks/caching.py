"""How a step's result is remembered: looked up under its key, else computed and stored.

A hit is handed to Prefect as a completed state named ``Cached``, which is how its UI shows it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.keys import Key
from tasks.media.store import Entry
from tasks.render.report import StepRecord
from tasks.run import Run

T = TypeVar("T")

STEP: dict[str, Any] = {"persist_result": False, "cache_policy": NO_CACHE}
"""Options of every step's ``@task``: finecut's own store keeps results, whole and checked."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a step computed: JSON, and files in the work folder that go into the store."""

    value: Any
    blobs: Mapping[str, Path]


class Result(Generic[T]):
    """A step's value and what it took. A plain class, so that Prefect does not look inside."""

    def __init__(self, value: T, record: StepRecord) -> None:
        self.value = value
        self.record = record

    def state(self) -> State[Result[T]]:
        """Return the Prefect state of this result."""
        name = "Cached" if self.record.state == "hit" else None
        return Completed(data=self, name=name) if name else Completed(data=self)


def remembered(
    run: Run,
    key: Key,
    compute: Callable[[Path], Made],
    load: Callable[[Entry], T],
) -> Result[T]:
    """Return a step's result from the store, or compute and store it.

    Args:
        run: the run that asks.
        key: what the result depends on.
        compute: called with an empty work folder, which is removed afterwards.
        load: turns a stored entry into the value; an error of its own makes the entry a miss.
    """
    run.listener.started(key.step)
    start_s = time.monotonic()
    loaded: list[T] = []

    def loads(entry: Entry) -> bool:
        try:
            loaded.append(load(entry))
        except Exception:  # noqa: BLE001 - an entry that cannot be read is a miss, whatever it has
            return False
        return True

    state = "hit"
    if run.store.get(key.digest, loads) is None:
        state = "miss"
        work = run.store.work_folder()
        try:
            made = compute(work)
            loaded = [load(run.store.set(key.digest, made.value, made.blobs))]
        finally:
            shutil.rmtree(work, ignore_errors=True)
    record = StepRecord(key.step, state, round(time.monotonic() - start_s, 3), key.digest)
    run.record(record)
    return Result(loaded[-1], record)


def computed(run: Run, step: str, compute: Callable[[], T]) -> Result[T]:
    """Return the result of a step that is cheap and never stored."""
    run.listener.started(step)
    start_s = time.monotonic()
    value = compute()
    record = StepRecord(step, "computed", round(time.monotonic() - start_s, 3))
    run.record(record)
    return Result(value, record)


def off(run: Run, step: str) -> None:
    """Record that a step was switched off."""
    run.record(StepRecord(step, "off", 0.0))


def degraded(run: Run, step: str, why: str) -> None:
    """Record that a step could not do its work, and that the film is made without it."""
    run.warn(why)
    run.record(StepRecord(step, "degraded", 0.0))
