"""Who carries the steps out: Prefect, where a flow runs under it; else plain threads.

A run that shows in no Prefect server gains nothing from one: its results, its retries and its
report come from the store. Prefect's embedded server would cost it some ten seconds and as much
work as several chunks. So the command line runs the same flows and the same steps without it
unless a server is set; what a step is and what it depends on is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from typing import Any, ParamSpec, Protocol, TypeVar

from prefect import Flow, Task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext, TaskRunContext

from tasks.media.hardware import limit_name
from tasks.render.encoders import SPECS
from tasks.settings import Encoder

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LEASE_S = 60.0
"""How long the server holds a session for a process that was killed; a live one renews it."""

_threads: ContextVar[ThreadPoolExecutor | None] = ContextVar("finecut_threads", default=None)


class Begun(Protocol[T_co]):
    """A step that was begun."""

    def result(self) -> T_co:
        """Return what it came to, or raise what it raised, once it is done."""
        ...


def begin(step: Task[P, T], *args: P.args, **kwargs: P.kwargs) -> Begun[T]:
    """Begin a step beside those that run already."""
    threads = _threads.get()
    if threads is None:
        return step.submit(*args, **kwargs)
    context = copy_context()
    return threads.submit(lambda: context.run(_plain, step.fn, *args, **kwargs))


def done(step: Task[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a step comes to."""
    return begin(step, *args, **kwargs).result()


def _plain(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a step returns; what it dresses up as a state for Prefect is undressed."""
    value = work(*args, **kwargs)
    return value.data if isinstance(value, State) else value


def without_prefect(flow: Flow[P, T], workers: int, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a flow returns, carried out on threads of this process.

    Args:
        flow: the flow.
        workers: steps that run at once.
        args: positional arguments of the flow.
        kwargs: its named arguments.
    """
    with _on_threads(workers):
        return flow.fn(*args, **kwargs)


@contextmanager
def _on_threads(workers: int) -> Iterator[None]:
    threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="finecut-step")
    token = _threads.set(threads)
    try:
        yield
    finally:
        _threads.reset(token)
        # Steps that have not begun are not worth waiting for when one of them has failed.
        threads.shutdown(wait=True, cancel_futures=True)


def publish(markdown: str) -> None:
    """Show a run's report in Prefect, where it runs there."""
    if _threads.get() is None:
        create_markdown_artifact(markdown, key="finecut-report", description="What the edit did")


def encoder_session(encoder: str) -> AbstractContextManager[None]:
    """Return a context that holds one of the machine's sessions of a hardware encoder.

    Processes of one machine share its sessions by a limit on Prefect's server, where `finecut
    worker` has made one.

    Args:
        encoder: FFmpeg's name of it; one in software has as many sessions as are asked for.
    """
    is_in_prefect = FlowRunContext.get() is not None or TaskRunContext.get() is not None
    if SPECS[Encoder(encoder)].is_software or not is_in_prefect:
        return nullcontext()
    return concurrency(limit_name(encoder), lease_duration=LEASE_S)
