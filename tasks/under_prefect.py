"""Steps as Prefect tasks: Prefect decides by finecut's keys whether a step runs.

A kept step is a task with a cache policy (`ByKey`) that hands on the key made in `tasks.keys`.
Prefect asks for it before the step's own code: where the store holds the result, the task ends as
``Cached``. Prefect is given nothing to keep but the key: results live in finecut's store alone, as
JSON and files, never pickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.context import TaskRunContext
from prefect.filesystems import WritableFileSystem
from prefect.results import ResultRecord, ResultRecordMetadata  # type: ignore[attr-defined]
from prefect.serializers import JSONSerializer
from prefect.states import Completed

from tasks.engine import Step

P = ParamSpec("P")
T = TypeVar("T")


def task_of(step: Step[P, T]) -> Task[P, T]:
    """Return the task that carries a step out."""
    return _never_kept(step) if step.look_up is None else _kept(step)


def _never_kept(step: Step[P, T]) -> Task[P, T]:
    @wraps(step.fn)
    def run_step(*args: P.args, **kwargs: P.kwargs) -> T:
        value = step.fn(*args, **kwargs)
        if step.is_cached(value):
            # Prefect takes a state for what it is, and hands on what it holds.
            return Completed(data=value, name="Cached")  # type: ignore[return-value]
        return value

    return task(name=step.name, persist_result=False, cache_policy=NO_CACHE)(run_step)


def _kept(step: Step[P, T]) -> Task[P, T]:
    made = task(
        name=step.name,
        cache_policy=ByKey(step=step),
        persist_result=True,
        cache_result_in_memory=False,
        result_serializer=JSONSerializer(),
    )(step.fn)
    # Set here because the decorator takes none but blocks that were saved on a server, and a run
    # may have no server.
    made.result_storage = RunsResults()
    return made


@dataclass
class ByKey(CachePolicy):
    """The policy of every kept step: hands on the key that `tasks.keys` makes of what it gets."""

    step: Step[Any, Any] | None = None

    def compute_key(
        self,
        task_ctx: TaskRunContext,  # noqa: ARG002 - as Prefect calls it
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> str | None:
        """Return the digest of the key, having looked for the result in the run's store."""
        assert self.step is not None
        assert self.step.look_up is not None
        return self.step.look_up(**inputs)


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
