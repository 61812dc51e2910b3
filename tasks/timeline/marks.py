"""Places of a timeline that its content picks, so that they fall into step again behind an edit.

A place is known by the picture that is shown from there on. So taking a range out moves no place
but those inside it, and a trim at a range's end moves none at all. Where places are to lie apart,
each with a hash of its picture, the lowest of a neighbourhood is taken: that looks no further than
the neighbourhood, and an edit elsewhere changes nothing.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from tasks.timeline.model import Source, Timeline


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that may be picked."""

    frame: int
    """On the timeline."""
    lowness: tuple[int, str]
    """Whichever is lowest of its neighbours is picked: a rank, then a hash of the picture."""


def picture_hash(source: Source, source_frame: int) -> str:
    """Return a hash of the picture that a frame of a source's grid shows."""
    text = f"{source.digest}:{source_frame}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


LONG_CUT_S = 0.5
"""Where this much or more was cut out, something ends: text that stands on the screen too."""


def cut_marks(timeline: Timeline, sources: Sequence[Source], rank: int = 0) -> Iterator[Mark]:
    """Yield a mark for each cut, in order; the timeline's start is none.

    Short cuts get the rank behind `rank`.
    """
    jumps = long_cuts(timeline)
    for clip, start in zip(timeline.clips[1:], timeline.clip_starts()[1:], strict=False):
        lowness = (rank + (start not in jumps), picture_hash(sources[clip.source], clip.source_in))
        yield Mark(start, lowness)


def long_cuts(timeline: Timeline) -> frozenset[int]:
    """Return the timeline frames of the cuts at which `LONG_CUT_S` or more was taken out.

    So are cuts to other footage, and back to earlier footage.
    """
    starts = timeline.clip_starts()
    return frozenset(
        starts[number]
        for number, (before, clip) in enumerate(pairwise(timeline.clips), start=1)
        if before.source != clip.source
        or not 0 <= (clip.source_in - before.source_out) / timeline.rate < LONG_CUT_S
    )


def uncut_marks(
    timeline: Timeline, sources: Sequence[Source], step_frames: int, room_frames: int, rank: int = 0
) -> Iterator[Mark]:
    """Yield marks inside clips, at multiples of `step_frames` of the source's own count.

    Args:
        timeline: what stays.
        sources: the footage.
        step_frames: distance of the marks.
        room_frames: how far from the ends of a clip they stay.
        rank: of the marks.
    """
    for clip, start in zip(timeline.clips, timeline.clip_starts(), strict=False):
        first = -(-(clip.source_in + room_frames) // step_frames) * step_frames
        for at in range(first, clip.source_out - room_frames + 1, step_frames):
            lowness = (rank, picture_hash(sources[clip.source], at))
            yield Mark(start + at - clip.source_in, lowness)


def marks_at(
    frames: Sequence[int], timeline: Timeline, sources: Sequence[Source], rank: int = 0
) -> Iterator[Mark]:
    """Yield a mark for each of some timeline frames."""
    starts = timeline.clip_starts()
    for frame in frames:
        number = bisect_right(starts, frame) - 1
        clip = timeline.clips[number]
        at = clip.source_in + frame - starts[number]
        yield Mark(frame, (rank, picture_hash(sources[clip.source], at)))


def in_order(*marks: Iterator[Mark]) -> list[Mark]:
    """Return marks of several kinds by their place; of two on one frame the lower one."""
    best: dict[int, Mark] = {}
    for each in marks:
        for mark in each:
            known = best.get(mark.frame)
            if known is None or mark.lowness < known.lowness:
                best[mark.frame] = mark
    return [best[frame] for frame in sorted(best)]


def between(marks: Sequence[Mark], first: int, last: int) -> Sequence[Mark]:
    """Return the marks on the frames ``[first, last]``."""
    place = attrgetter("frame")
    return marks[bisect_left(marks, first, key=place) : bisect_right(marks, last, key=place)]


def lowest_in_reach(marks: Sequence[Mark], start: int, end: int, reach: int) -> list[int]:
    """Return the frames of those marks that are the lowest of all closer than `reach` frames.

    They lie at least `reach` frames apart, and as far from `start` and `end`.

    Args:
        marks: in order.
        start: first frame of the stretch looked at.
        end: the frame behind its last one.
        reach: in frames, at least 1.
    """
    picked: list[int] = []
    for mark in between(marks, start + reach, end - reach):
        near = between(marks, mark.frame - reach + 1, mark.frame + reach - 1)
        if mark.lowness > min(other.lowness for other in near):
            continue
        # The same picture shown twice has the same hash: the earlier place is taken.
        if not picked or mark.frame - picked[-1] >= reach:
            picked.append(mark.frame)
    return picked


def lowest_inside(
    marks: Sequence[Mark], start: int, end: int, room: int, longest: int
) -> list[int]:
    """Return the marks at which a stretch is divided, and its parts again, until all are short.

    Args:
        marks: in order.
        start: first frame of the stretch.
        end: the frame behind its last one.
        room: how far from the ends of what it divides a mark lies at least, in frames.
        longest: how long a part may be, in frames; one without a mark inside stays longer.
    """
    out: list[int] = []
    waiting = [(start, end)]
    while waiting:
        low, high = waiting.pop()
        inside = between(marks, low + room, high - room)
        if high - low > longest and inside:
            at = min(inside, key=attrgetter("lowness")).frame
            out.append(at)
            waiting += [(low, at), (at, high)]
    return sorted(out)
