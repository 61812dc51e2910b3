"""Where spoken words end up on the timeline."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction

from tasks.analysis.transcript import Word
from tasks.layers.cues import TimelineWord
from tasks.timeline.model import Source, Timeline
from tasks.timeline.time import FrameGrid


def timeline_words(
    words: Sequence[Sequence[Word]], timeline: Timeline, sources: Sequence[Source]
) -> tuple[TimelineWord, ...]:
    """Return the words that stay, in timeline frames and order.

    Args:
        words: of each source, in order of time, in source time.
        timeline: what stays.
        sources: the footage.

    A word that a cut goes through keeps the part that stays; a word with less than one frame
    left is dropped.
    """
    out: list[TimelineWord] = []
    starts = timeline.clip_starts()
    for clip, start in zip(timeline.clips, starts, strict=False):
        grid = sources[clip.source].grid(timeline.rate)
        for word, first, end in _frames(words[clip.source], grid, clip.source_in, clip.source_out):
            shift = start - clip.source_in
            out.append(TimelineWord(word.text, first + shift, end + shift, word.ends_phrase))
    return tuple(out)


def _frames(
    words: Sequence[Word], grid: FrameGrid, first_frame: int, end_frame: int
) -> Iterator[tuple[Word, int, int]]:
    """Yield the words that touch a range of a source's grid, with their frames inside it."""
    # One frame of slack on either side; what lies outside is dropped below.
    before_s = float(grid.time_of(first_frame - 1))
    low = bisect_right(words, before_s, key=lambda word: word.end_s)
    for word in words[low:]:
        first = math.floor((_exact(word.start_s) - grid.origin_s) * grid.rate)
        end = math.ceil((_exact(word.end_s) - grid.origin_s) * grid.rate)
        if first >= end_frame:
            return
        first, end = max(first, first_frame), min(end, end_frame)
        if first < end and _is_mostly_inside(word, grid, first_frame, end_frame):
            yield word, first, end


def _exact(time_s: float) -> Fraction:
    """Return a word's time, which counts milliseconds, without the dust of its float."""
    return Fraction(time_s).limit_denominator(1000)


def _is_mostly_inside(word: Word, grid: FrameGrid, first_frame: int, end_frame: int) -> bool:
    """Return whether at least half of a word is in a range, so no word appears on both sides."""
    start_s, end_s = float(grid.time_of(first_frame)), float(grid.time_of(end_frame))
    inside_s = min(word.end_s, end_s) - max(word.start_s, start_s)
    return inside_s * 2 >= word.end_s - word.start_s
