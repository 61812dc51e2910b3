"""Who carries the steps out: Prefect, where a flow runs under it; else plain threads.

A run that shows in no Prefect server gains nothing from one: its results, its retries and its
report come from the store. Prefect's embedded server would cost it some ten seconds and as much
work as several chunks, and Prefect alone more than a second to load. So the command line runs the
same steps in the same order without it unless a server is set; what a step is and what it depends
on is the same either way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from tasks.media.hardware import limit_name
from tasks.render.encoders import SPECS
from tasks.settings import Encoder

if TYPE_CHECKING:
    from prefect import Task

log = logging.getLogger("finecut.engine")

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LEASE_S = 60.0
"""How long the server holds a session for a process that was killed; a live one renews it."""

_threads: ContextVar[ThreadPoolExecutor | None] = ContextVar("finecut_threads", default=None)


@dataclass(eq=False)
class Step(Generic[P, T]):
    """A step of a run: a plain function, and the Prefect task that carries it out in a flow."""

    name: str
    fn: Callable[P, T]
    look_up: Callable[..., str] | None = None
    """Of a step whose results are kept: takes its result from the store into the run, and returns
    the key; called with the step's own arguments. None: it is never kept."""
    is_cached: Callable[[T], bool] = lambda _: False
    """Whether what a step returns was there before, although Prefect did not find it."""

    @cached_property
    def task(self) -> Task[P, T]:
        """Return the step as a task; Prefect is loaded only here."""
        from tasks.under_prefect import task_of

        return task_of(self)


def step(
    name: str, *, is_cached: Callable[[Any], bool] = lambda _: False
) -> Callable[[Callable[P, T]], Step[P, T]]:
    """Return what makes a step of a function whose results are not kept."""
    return lambda fn: Step(name, fn, is_cached=is_cached)


class Begun(Protocol[T_co]):
    """A step that was begun."""

    def result(self) -> T_co:
        """Return what it came to, or raise what it raised, once it is done."""
        ...


def begin(what: Step[P, T], *args: P.args, **kwargs: P.kwargs) -> Begun[T]:
    """Begin a step beside those that run already."""
    threads = _threads.get()
    if threads is None:
        return what.task.submit(*args, **kwargs)
    context = copy_context()
    return threads.submit(lambda: context.run(what.fn, *args, **kwargs))


def done(what: Step[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a step comes to."""
    return begin(what, *args, **kwargs).result()


def without_prefect(work: Callable[P, T], workers: int, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns whose steps are carried out on threads of this process.

    Args:
        work: the function.
        workers: steps that run at once.
        args: its positional arguments.
        kwargs: its named arguments.
    """
    with _on_threads(workers):
        return work(*args, **kwargs)


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
        from prefect.artifacts import create_markdown_artifact

        create_markdown_artifact(markdown, key="finecut-report", description="What the edit did")


def encoder_session(encoder: str) -> AbstractContextManager[None]:
    """Return a context that holds one of the machine's sessions of a hardware encoder.

    Processes of one machine share its sessions by a limit on Prefect's server, where `finecut
    worker` has made one.

    Args:
        encoder: FFmpeg's name of it; one in software has as many sessions as are asked for.
    """
    if SPECS[Encoder(encoder)].is_software or _threads.get() is not None:
        return nullcontext()
    from prefect.context import FlowRunContext, TaskRunContext

    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return nullcontext()
    return _session(limit_name(encoder))


@contextmanager
def _session(limit: str) -> Iterator[None]:
    """Hold one place of a limit; one that cannot be given back is free when its lease ends."""
    from prefect.concurrency.sync import concurrency

    held = concurrency(limit, lease_duration=LEASE_S)
    held.__enter__()
    try:
        yield
    finally:
        try:
            held.__exit__(None, None, None)
        except Exception as error:  # noqa: BLE001 - what was encoded is whole all the same
            log.warning("a session of %s was not given back: %s", limit, error)
