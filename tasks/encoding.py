"""How many encodes run at once, and what it means when a hardware encoder fails in one of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.engine import encoder_session
from tasks.errors import EncoderFailed, Interrupted, ToolFailed, VerificationFailed
from tasks.media.encoders import reason
from tasks.render.encoders import SPECS
from tasks.render.plan import ENCODER_THREADS
from tasks.run import Run

_software = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // ENCODER_THREADS))
"""As many chunks are drawn at once as keep the cores busy: each one more costs memory, not time."""

_sessions = {
    name: threading.BoundedSemaphore(spec.sessions) for name, spec in SPECS.items() if spec.sessions
}
"""A chip takes few encodes at once, and costs the processor little: it counts for itself."""


@contextmanager
def encoding(run: Run, encoder: str) -> Iterator[Callable[[], bool]]:
    """Wait until there is room for one more encode, and hand out what tells it to stop.

    A hardware encoder that fails inside the block is given up for the whole run: the film has to
    go to another one, for chunks of different encoders do not join.

    Raises:
        EncoderFailed: a hardware encoder failed, here or on another chunk meanwhile.
    """
    with _sessions.get(encoder, _software), encoder_session(encoder):
        if run.given_up(encoder):
            raise EncoderFailed(f"{encoder} failed on another chunk")
        try:
            yield lambda: run.cancelled() or bool(run.given_up(encoder))
        except (ToolFailed, VerificationFailed) as error:
            if SPECS[encoder].is_software:
                raise
            run.give_up(encoder, reason(error))
            raise EncoderFailed(error.message, error.hint) from error
        except Interrupted as error:
            if run.cancelled() or not run.given_up(encoder):
                raise
            raise EncoderFailed(f"{encoder} failed on another chunk") from error
