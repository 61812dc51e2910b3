"""Dealing chunks to workers: how large batches are, and when one is given up.

Guided self-scheduling (Polychronopoulos and Kuck, 1987): each batch is a share of what is left, so
that the first ones are large and cost few starts, and the last ones small, so that nobody waits
long for the slowest worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tasks.render.chunks import Chunk
from tasks.render.plan import RenderPlan
from tasks.timeline.model import Canvas

SHARE = 2
"""A batch is what is left, divided by this and by the number of workers."""

WORTH_S = 45.0
"""Least work in a batch: three times what it costs to start one."""

PIXELS_PER_S = 40e6
"""What a worker of four cores draws and encodes at the default quality: 19 frames of 1080p."""


def floor_frames(canvas: Canvas) -> int:
    """Return how many frames a batch holds at least, so that it is worth its start."""
    return max(1, round(WORTH_S * PIXELS_PER_S / (canvas.width_px * canvas.height_px)))


def deal(frames: Sequence[int], workers: int, floor: int) -> tuple[tuple[int, ...], ...]:
    """Return batches of chunks, the largest first; each chunk is in exactly one of them.

    Where there is less to do than would make a worthy batch for each worker, it is divided evenly:
    they all start at the same time, and the film is done sooner.

    Args:
        frames: the length of each chunk.
        workers: how many are there to take them.
        floor: least frames of a batch, as `floor_frames` says.

    Returns:
        Indices into `frames`, in order within a batch. No batch has more frames than the one
        before it.
    """
    # The longest first: whatever comes next fits where the one before it fitted.
    waiting = sorted(range(len(frames)), key=lambda index: (-frames[index], index))
    left = sum(frames)
    # An even share and what does not divide evenly: or a last batch would start for one chunk.
    least = min(floor, -(-left // max(1, workers)) + max(frames, default=1) - 1)
    limit = left
    batches: list[tuple[int, ...]] = []
    while waiting:
        limit = min(limit, max(least, -(-left // (SHARE * max(1, workers)))))
        batch, size = [waiting[0]], frames[waiting[0]]
        for index in waiting[1:]:
            if size + frames[index] <= limit:
                batch.append(index)
                size += frames[index]
        chosen = set(batch)
        waiting = [index for index in waiting if index not in chosen]
        batches.append(tuple(sorted(batch)))
        left -= size
        limit = size
    return tuple(batches)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the dealer waits for a sign of life, in seconds."""

    still_s: float = 30.0
    """For the next beat of a batch that runs, and for anything at all when no worker is there."""
    begin_s: float = 60.0
    """For a batch that a worker has taken to begin."""
    look_s: float = 1.0
    """From look to look."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of a batch's run in Prefect."""

    type: str
    name: str
    message: str


GONE = Seen("PENDING", "Gone", "")
"""A run that the server does not know (any more): to be lost, unless it turns up."""


@dataclass(slots=True)
class Batch:
    """A batch that was dealt, and what was heard of it."""

    id: str
    chunks: tuple[int, ...]
    frames: int
    dealt_s: float
    since_s: float
    """When its state or its beat last changed, by the dealer's clock."""
    seen: Seen | None = None
    beat: Mapping[str, object] | None = None

    def note(self, seen: Seen | None, beat: Mapping[str, object] | None, now_s: float) -> bool:
        """Take in what is seen now; return whether it shows that somebody works on it."""
        has_beaten = beat is not None and beat != self.beat
        if has_beaten or (seen is not None and seen != self.seen):
            self.since_s = now_s
        self.seen, self.beat = seen or self.seen, beat or self.beat
        return has_beaten

    @property
    def frames_done(self) -> int:
        done = (self.beat or {}).get("frames")
        return min(self.frames, done) if isinstance(done, int) else 0


class Verdict(StrEnum):
    """What has become of a batch."""

    WAITS = "waits"
    LOST = "lost"
    """Nobody works on it any more, though Prefect may go on calling it running."""
    OVER = "over"


def verdict(state: str, quiet_s: float, patience: Patience) -> Verdict:
    """Return what has become of a batch.

    Args:
        state: the type of its state in Prefect.
        quiet_s: how long neither its state nor its beat has changed, by the dealer's own clock.
        patience: how long to wait.
    """
    if state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
        return Verdict.OVER
    if state == "PENDING":
        return Verdict.LOST if quiet_s > patience.begin_s else Verdict.WAITS
    if state in ("RUNNING", "CANCELLING"):
        return Verdict.LOST if quiet_s > patience.still_s else Verdict.WAITS
    return Verdict.WAITS


@dataclass(frozen=True, slots=True)
class Dealing:
    """A plan, its chunks, and the pool that is to render them."""

    plan: RenderPlan
    parts: tuple[Chunk, ...]
    pool: str
