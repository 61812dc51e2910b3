"""Steps as Prefect tasks: Prefect decides by the key whether a step runs, the store keeps results.

A stored step is a task with a cache policy (`ByKey`) that hands on the key made in `tasks.keys`.
Prefect asks for it before the step's own code: a result that the store holds whole, and that the
step can load, is a hit, and the task ends as ``Cached``. On a miss the step computes under a lease,
so that two runs that need the same result compute it once. Prefect is given nothing to keep but the
key: results live in finecut's store alone, as JSON and files, never pickled.

What Prefect only logs is an error here: a result that cannot be stored fails its step.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.context import TaskRunContext
from prefect.filesystems import WritableFileSystem
from prefect.results import ResultRecord, ResultRecordMetadata  # type: ignore[attr-defined]
from prefect.serializers import JSONSerializer

from tasks.errors import Missing
from tasks.keys import Key
from tasks.media.records import Entry
from tasks.render.report import StepRecord
from tasks.run import Held, Run

G = TypeVar("G")
T = TypeVar("T")

NEVER_STORED: dict[str, Any] = {"persist_result": False, "cache_policy": NO_CACHE}
"""Options of the ``@task`` of a step that is never stored."""


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


@dataclass
class ByKey(CachePolicy):
    """The policy of every stored step: hands on the key that `tasks.keys` makes of what it gets."""

    step: Stored[Any, Any] | None = None

    def compute_key(
        self,
        task_ctx: TaskRunContext,  # noqa: ARG002 - as Prefect calls it
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> str | None:
        """Return the digest of the key, having looked for the result in the run's store."""
        assert self.step is not None
        run, given = inputs["run"], inputs["held"]
        given.key = self.step.key(run, given.value)
        look_up(run, self.step, given)
        return str(given.key.digest)


class RunsResults(WritableFileSystem):
    """Where Prefect looks for a result: among those that the run found in finecut's store."""

    _block_type_name: ClassVar[str] = "finecut results"
    _block_type_slug: ClassVar[str] = "finecut-results"

    def _resolve_path(self, path: str) -> Path:
        return Path(path)

    def read_path(  # type: ignore[override] # Prefect takes either kind
        self, path: str, **_: Any
    ) -> bytes:
        """Return the record of a result that the present run holds.

        Raises:
            KeyError: it holds none, which Prefect takes for a miss.
        """
        context = TaskRunContext.get()
        key = Path(path).name
        if context is None or key not in context.parameters["run"].results:
            raise KeyError(key)
        return _reference(key).serialize()

    async def aread_path(self, path: str) -> bytes:
        return self.read_path(path)

    def write_path(  # type: ignore[override]
        self, path: str, content: bytes, **_: Any
    ) -> None:
        """Keep nothing: the step itself has stored its result, or failed."""

    async def awrite_path(self, path: str, content: bytes) -> None:
        self.write_path(path, content)


def _reference(key: str) -> ResultRecord[dict[str, str]]:
    serializer = JSONSerializer()
    metadata = ResultRecordMetadata(storage_key=key, serializer=serializer)
    return ResultRecord(result={"key": key}, metadata=metadata)


def stored(step: Stored[G, T]) -> Task[[Run, Held[G]], dict[str, str]]:
    """Return a stored step as a Prefect task; `result_of` gives what it came to."""

    def run_step(run: Run, held: Held[G]) -> dict[str, str]:
        held.key = held.key or step.key(run, held.value)
        remembered(run, step, held)
        return {"key": held.key.digest}

    run_step.__doc__ = step.compute.__doc__
    made = task(
        name=step.name,
        cache_policy=ByKey(step=step),
        persist_result=True,
        cache_result_in_memory=False,
        result_serializer=JSONSerializer(),
    )(run_step)
    # Set here because the decorator takes none but blocks that were saved on a server, and a run
    # may have no server.
    made.result_storage = RunsResults()
    return made


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
