"""A batch of chunks, rendered by a worker of a pool for whoever dealt it."""

from __future__ import annotations

import os
from typing import Any

from prefect import flow
from prefect.states import Failed
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.engine import begin
from tasks.errors import EncoderFailed, FinecutError
from tasks.media.store import open_store
from tasks.media.upkeep import evict
from tasks.pool import FLOW
from tasks.render.plan import ENCODER_THREADS
from tasks.render_chunk import render_chunk
from tasks.run import Held, Run, listening
from tasks.serving import ENCODER_FAILED, REFUSED, Asked, Declined, beating, drawings, worker

RUNNER: Any = ThreadPoolTaskRunner(max_workers=max(2, (os.cpu_count() or 2) // ENCODER_THREADS + 1))


@flow(name=FLOW, task_runner=RUNNER, persist_result=False)
def render_batch(asked: Asked) -> Any:
    """Render chunks of a plan into the store, or say why this worker does not.

    Args:
        asked: which chunks of which plan, and how the dealer knows that they are the same here.
    """
    store = open_store()
    with beating(store, asked.beat) as beat, listening(beat):
        failed = _failure(Run({}, store), asked)
    if failed is None:
        evict(store)
    return failed


def _failure(run: Run, asked: Asked) -> Any:
    """Render a batch; return the state in which it failed, or none."""
    try:
        begun = [begin(render_chunk, run, Held(each)) for each in drawings(run, asked)]
        for drawn in begun:
            drawn.result()
    except Declined as declined:
        # Without the shared tier neither plan nor footage is found: no fault of this worker's.
        if declined.name == REFUSED or not run.store.lost_shared:
            return Failed(name=declined.name, message=f"{worker()}: {declined.reason}")
    except EncoderFailed as error:
        run.stop()
        return Failed(name=ENCODER_FAILED, message=f"{worker()}: {error.message}")
    except FinecutError as error:
        run.stop()
        return Failed(message=f"{worker()}: {error.message}")
    except BaseException:  # Prefect's own signal to end, too: FFmpeg is not waited for then
        run.stop()
        raise
    lost = run.store.lost_shared
    return Failed(message=f"{worker()}: {lost}") if lost else None
