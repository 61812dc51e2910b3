"""Chunks and sound into the finished file: remuxed, verified, and only then given its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import task

from tasks.caching import NEVER_STORED, computed
from tasks.errors import VerificationFailed
from tasks.media.files import check_no_footage, written_whole
from tasks.media.join import join
from tasks.media.verify import verified
from tasks.render.chunks import Chunk
from tasks.render.graph import frame_ticks, track_timescale
from tasks.render.plan import RenderPlan
from tasks.render_sound import sound_samples
from tasks.run import Held, Run
from tasks.timeline.model import Check


def joined(
    run: Run,
    plan: RenderPlan,
    chunks: Sequence[Chunk],
    files: Sequence[Path],
    sound: Path | None,
    output: Path,
) -> tuple[Check, ...]:
    """Write the film to its final name, if and only if every check passes.

    Raises:
        VerificationFailed: the film is not what was planned; nothing was written.
        BadInput: the output cannot be written, or is footage.
    """
    check_no_footage(output, run.footage.values())
    borders = [*(chunk.start_frame for chunk in chunks), plan.timeline.frames]
    planned = None
    if plan.sound is not None and sound is not None:
        planned = (sound_samples(plan, plan.sound), plan.sound.sample_rate_hz)
    with written_whole(output) as part:
        join(
            files,
            [chunk.frames for chunk in chunks],
            sound,
            part,
            frame_ticks=frame_ticks(plan.canvas),
            timescale=track_timescale(plan.canvas),
            cancelled=run.cancelled,
        )
        checks = verified(part, plan.canvas, borders, planned)
        failed = [check for check in checks if not check.ok]
        if failed:
            raise VerificationFailed(
                "the finished file is not what was planned: "
                + "; ".join(f"{c.check}: expected {c.expected}, got {c.got}" for c in failed),
                "nothing was written; give the same command again, and report it if it stays so",
            )
    return checks


@task(name="join", **NEVER_STORED)
def join_film(
    run: Run,
    held_plan: Held[RenderPlan],
    held_chunks: Held[Sequence[Chunk]],
    files: Sequence[Path],
    sound: Path | None,
    output: Path,
) -> tuple[Check, ...]:
    """Return the checks that the finished file passed."""
    plan, parts = held_plan.value, held_chunks.value
    return computed(run, "join", lambda: joined(run, plan, parts, files, sound, output))
