"""Running a command: one message for any error, the right exit code, and a clean stop."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from types import FrameType
from typing import TypeVar

import typer

from deployments.cli.results import print_error
from tasks.errors import FinecutError, Interrupted, Missing

T = TypeVar("T")

GRACE_S = 5.0
"""How long a run that is being stopped may take to put its work away."""

NO_SERVER = (
    "Failed to reach API",
    "Server error '5",
)
"""What Prefect says when its server is not there."""

STOPPED = Interrupted("stopped", "give the same command again: what was finished is kept")


@contextmanager
def told_plainly(*, as_json: bool, verbose: bool) -> Iterator[None]:
    """Turn whatever goes wrong inside the block into one message and an exit code."""
    try:
        yield
    except typer.Exit:  # a command that has said all and chosen its code
        raise
    except (KeyboardInterrupt, typer.Abort):
        _leave(STOPPED, as_json)
    except FinecutError as error:
        _leave(error, as_json)
    except OSError as error:
        _leave(_system_error(error), as_json)
    except Exception as error:  # noqa: BLE001 - the last line: a user never sees a traceback
        if verbose:
            traceback.print_exc()
        _leave(_explained(error), as_json)


def _leave(error: FinecutError, as_json: bool) -> None:
    print_error(error, as_json=as_json)
    raise typer.Exit(error.exit_code)


def _explained(error: Exception) -> FinecutError:
    """Return what an error of a library means to whoever reads it."""
    if isinstance(error, sqlite3.Error):
        if "full" in str(error):
            return _system_error(OSError(errno.ENOSPC, "", None))
        return FinecutError(
            f"a database of the store or of Prefect cannot be used: {error}",
            "see whether its disk is full or read-only (FINECUT_CACHE, PREFECT_HOME)",
        )
    if any(sign in str(error) for sign in NO_SERVER):
        url = os.environ.get("PREFECT_API_URL")
        if url:
            return Missing(
                f"Prefect's server at {url} does not answer",
                "start it, or unset PREFECT_API_URL to do without one",
            )
        return Missing(
            "the Prefect server of the active profile does not answer",
            "start it, or set PREFECT_API_URL to nothing (PREFECT_API_URL=) to do without one",
        )
    hint = "run it again with --verbose, and report what it says"
    return FinecutError(f"unexpected: {type(error).__name__}: {error}", hint)


def _system_error(error: OSError) -> FinecutError:
    if error.errno == errno.ENOSPC:
        return FinecutError(
            f"the disk is full ({error.filename or 'no space left'})",
            "free some space and give the same command again: finished work is kept",
        )
    return FinecutError(f"{error.filename or 'the system'}: {error.strerror or error}")


@contextmanager
def stoppable(stop: Callable[[], None], *, as_json: bool) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the run: what is finished is kept, every child is ended.

    Args:
        stop: asks the run to end; it then has `GRACE_S` to do so.
    """
    ended, leaving = threading.Event(), threading.Event()

    def leave() -> None:
        if ended.wait(GRACE_S):
            # The run has said how it ended; what hangs now is the way out.
            time.sleep(GRACE_S)
        _end_children()
        if not ended.is_set():
            print_error(STOPPED, as_json=as_json)
        sys.stdout.flush()
        os._exit(STOPPED.exit_code)

    def asked(_number: int, _frame: FrameType | None) -> None:
        if not leaving.is_set():
            leaving.set()
            stop()
            threading.Thread(target=leave, daemon=True).start()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        ended.set()
        if not leaving.is_set():
            for number, handler in before.items():
                signal.signal(number, handler)


def apart(work: Callable[[], T]) -> T:
    """Return what `work` returns, done in a thread of its own.

    Prefect takes SIGTERM for itself where a flow runs in the main thread, ends in a traceback and
    leaves its server behind; elsewhere it leaves signals alone, and `stoppable` gets them.
    """
    context = copy_context()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="finecut") as pool:
        return pool.submit(context.run, work).result()


def _end_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.Error:
            continue
