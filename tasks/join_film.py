"""Chunks and sound into the finished file: remuxed, verified, and only then given its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tasks.caching import computed
from tasks.engine import step
from tasks.errors import VerificationFailed
from tasks.media.files import check_no_footage, written_whole
from tasks.media.join import join
from tasks.media.verify import fully_decoded, verified
from tasks.render.chunks import Chunk
from tasks.render.graph import frame_ticks, track_timescale
from tasks.render.plan import RenderPlan
from tasks.render_sound import sound_samples
from tasks.run import Held, Run
from tasks.timeline.model import Check


def joined(  # noqa: PLR0913 - a film is put together of all of it
    run: Run,
    plan: RenderPlan,
    chunks: Sequence[Chunk],
    files: Sequence[Path],
    sound: Path | None,
    output: Path,
    *,
    is_full: bool = False,
) -> tuple[Check, ...]:
    """Write the film to its final name, if and only if every check passes.

    `is_full`: decode the film to its end, too.

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
        if is_full:
            checks += (fully_decoded(part, plan.timeline.frames, run.cancelled),)
        failed = [check for check in checks if not check.ok]
        if failed:
            raise VerificationFailed(
                "the finished file is not what was planned: "
                + "; ".join(f"{c.check}: expected {c.expected}, got {c.got}" for c in failed),
                "nothing was written; give the same command again, and report it if it stays so",
            )
    return checks


@step("join")
def join_film(  # noqa: PLR0913, PLR0917 - the same, handed on by position
    run: Run,
    held_plan: Held[RenderPlan],
    held_chunks: Held[Sequence[Chunk]],
    files: Sequence[Path],
    sound: Path | None,
    output: Path,
    is_full: bool,  # noqa: FBT001 - a task's parameters are handed on by position
) -> tuple[Check, ...]:
    """Return the checks that the finished file passed."""
    make = partial(joined, run, held_plan.value, held_chunks.value, files, sound, output)
    return computed(run, "join", partial(make, is_full=is_full))
