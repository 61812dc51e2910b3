"""Steps whose results are kept: what the store holds whole is a hit, and is not made again.

A kept step hands on the key made in `tasks.keys`. A result that the store holds whole, and that the
step can load, is a hit. On a miss the step computes under a lease, so that two runs that need the
same result compute it once. A result that cannot be stored fails its step.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from tasks.engine import Step
from tasks.errors import Missing
from tasks.keys import Key
from tasks.media.records import Entry
from tasks.render.report import StepRecord
from tasks.run import Held, Run

G = TypeVar("G")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Made:
    """What a step computed: JSON, and files in the work folder that go into the store."""

    value: Any
    blobs: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored(Generic[G, T]):
    """What a stored step is made of: plain functions, which a plain test can call.

    ``G`` is what the step is given, ``T`` what it comes to.
    """

    name: str
    key: Callable[[Run, G], Key]
    """What the result depends on; loads no model."""
    compute: Callable[[Run, G, Path], Made]
    """Called with an empty work folder, which is removed afterwards."""
    load: Callable[[G, Entry], T]
    """Turns an entry into the value; an error of its own makes the entry a miss."""
    without: Callable[[Run, Missing], T] | None = None
    """What the film does without where a library or model is missing; none: the run fails."""
    found: Callable[[Run, G], None] | None = None
    """Called when the result was there already."""


def stored(kept: Stored[G, T]) -> Step[[Run, Held[G]], dict[str, str]]:
    """Return a step whose results are kept; `result_of` gives what it came to."""

    def run_step(run: Run, held: Held[G]) -> dict[str, str]:
        held.key = held.key or kept.key(run, held.value)
        remembered(run, kept, held)
        return {"key": held.key.digest}

    def look_up_key(run: Run, held: Held[G]) -> str:
        held.key = kept.key(run, held.value)
        look_up(run, kept, held)
        return held.key.digest

    run_step.__doc__ = kept.compute.__doc__
    return Step(kept.name, run_step, look_up_key)


def look_up(run: Run, step: Stored[G, T], held: Held[G]) -> bool:
    """Take a step's result from the store into the run; return whether it was there."""
    assert held.key is not None
    run.listener.started(step.name)
    start_s = time.monotonic()
    loaded: list[T] = []

    def loads(entry: Entry) -> bool:
        try:
            loaded.append(step.load(held.value, entry))
        except Exception:  # noqa: BLE001 - an entry that cannot be read is a miss, whatever it has
            return False
        return True

    entry = run.store.get(held.key.digest, loads, hold=run.hold)
    if entry is None:
        return False
    run.results[held.key.digest] = loaded[-1]
    seconds = time.monotonic() - start_s
    _record(run, held.key, "hit", seconds, saved_s=entry.seconds, saved_bytes=entry.size_bytes)
    if step.found is not None:
        step.found(run, held.value)
    return True


def remembered(run: Run, step: Stored[G, T], held: Held[G]) -> T:
    """Return a step's result from the store, or compute and store it under a lease.

    Raises:
        FinecutError: the step failed, or its result could not be stored.
    """
    held.key = held.key or step.key(run, held.value)
    key = held.key
    with run.store.lease(key.digest, cancelled=run.cancelled):
        if not look_up(run, step, held):
            _compute(run, step, held, key)
    value: T = run.results[key.digest]
    return value


def _compute(run: Run, step: Stored[G, T], held: Held[G], key: Key) -> None:
    start_s = time.monotonic()
    work = run.store.work_folder()
    try:
        made = step.compute(run, held.value, work)
        seconds = time.monotonic() - start_s
        run.check_footage(key.footage)
        entry = run.store.set(key, made.value, made.blobs, seconds=seconds, hold=run.hold)
        run.results[key.digest] = step.load(held.value, entry)
    except Missing as error:
        if step.without is None:
            raise
        run.results[key.digest] = step.without(run, error)
        run.record(StepRecord(step.name, "degraded", 0.0))
        return
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _record(run, key, "miss", seconds)


def result_of(run: Run, reference: dict[str, str]) -> Any:
    """Return what a stored step came to, given what its task returned."""
    return run.results[reference["key"]]


def computed(run: Run, step: str, compute: Callable[[], T], key: Key | None = None) -> T:
    """Return the result of a step that is cheap and never stored.

    Args:
        run: the run.
        step: its name.
        compute: what it does.
        key: what it depends on, for whoever asks why it came out differently.
    """
    run.listener.started(step)
    start_s = time.monotonic()
    value = compute()
    seconds = round(time.monotonic() - start_s, 3)
    run.record(
        StepRecord(
            step, "computed", seconds, key.digest if key else "", key.fields if key else None
        )
    )
    return value


def off(run: Run, step: str) -> None:
    """Record that a step was switched off."""
    run.record(StepRecord(step, "off", 0.0))


def _record(
    run: Run, key: Key, state: str, seconds: float, *, saved_s: float = 0.0, saved_bytes: int = 0
) -> None:
    run.record(
        StepRecord(
            key.step,
            state,
            round(seconds, 3),
            key.digest,
            key.fields,
            round(saved_s, 3),
            saved_bytes,
        )
    )
