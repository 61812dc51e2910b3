"""`finecut worker`: render chunks for other machines."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Annotated

import typer

from deployments.cli import environment
from deployments.cli.running import told_plainly
from tasks.errors import Missing
from tasks.settings import DEFAULT_POOL


def worker_command(
    pool: Annotated[str, typer.Option("--pool", help="The work pool to serve.")] = DEFAULT_POOL,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Batches at once.")] = 1,
    sessions: Annotated[
        int | None,
        typer.Option("--sessions", min=1, help="Hardware encoders at once; 2 unless set before."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show logs and tracebacks.")] = False,
) -> None:
    """Serve a work pool: render chunks of films that other machines edit, until Ctrl-C."""
    environment.prepare(verbose=verbose)
    from deployments.render_batch import WORKER

    for name, value in WORKER.items():
        os.environ.setdefault(name, value)
    with told_plainly(as_json=False, verbose=verbose):
        if not environment.has_server():
            raise Missing(
                "a worker needs a Prefect server, and none is set",
                "start one (`prefect server start`) and set PREFECT_API_URL on every machine",
            )
        _serve(pool, limit, sessions)


def _serve(pool: str, limit: int, sessions: int | None) -> None:
    from deployments import worker
    from tasks.choose_encoder import proven_encoders
    from tasks.media import ffmpeg
    from tasks.media.cards import showing_card, worker_name
    from tasks.media.store import open_store

    store, name = open_store(), worker_name()
    ffmpeg.version()  # a worker without it is told so at once
    encoders = proven_encoders()
    worker.prepare_server(pool, encoders, sessions)
    # SIGTERM ends it like Ctrl-C, its batches with it; a shell's `&` would have Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    at = os.environ.get("PREFECT_API_URL", "the server of the active profile")
    with showing_card(store, name, encoders):
        sys.stderr.write(f"{name} serves the work pool {pool} of {at}, {limit} at once\n")
        try:
            with suppress(KeyboardInterrupt):
                worker.serve(pool, name, limit)
        finally:
            with suppress(Exception):  # it is taken for gone in half a minute anyway
                worker.sign_off(pool, name)
