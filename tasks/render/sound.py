"""Which samples of which source make up the output's sound, and where they cross-fade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from tasks.timeline.model import Clip, Source, Timeline
from tasks.timeline.time import round_half_up


@dataclass(frozen=True, slots=True)
class SoundSegment:
    """A run of one source's sound on the timeline: samples ``[start, end)``, uncut inside."""

    source: int
    """Index into the timeline's sources."""
    start_samples: int
    """First sample on the timeline."""
    end_samples: int
    source_start_samples: int
    """The source's sample that plays at `start_samples`; below 0 before the source starts."""
    fade_in_samples: int = 0
    """Length of the cross-fade centred on the start; even, 0 for none."""
    fade_out_samples: int = 0
    """Length of the cross-fade centred on the end: the next segment's `fade_in_samples`."""

    @property
    def samples(self) -> int:
        return self.end_samples - self.start_samples


def sound_segments(
    timeline: Timeline, sources: Sequence[Source], sample_rate_hz: int, crossfade_s: float
) -> tuple[SoundSegment, ...]:
    """Return the segments that tile the timeline's sound, in order.

    Each starts on the sample that its timeline frame starts on, and plays the source from the
    sample that the source frame starts on: positions are rounded, lengths are their differences.
    Clips that go on where the one before ended are one segment, so nothing is heard of such a cut.
    A cross-fade takes at most half of the shorter segment beside it on either side.
    """
    spans: list[tuple[int, int, int, int]] = []
    frame = 0
    for run in _runs(timeline.clips):
        frames = sum(clip.frames for clip in run)
        first = run[0]
        source_grid = sources[first.source].grid(timeline.rate)
        start = timeline.grid.sample_at(frame, sample_rate_hz)
        end = timeline.grid.sample_at(frame + frames, sample_rate_hz)
        from_sample = source_grid.sample_at(first.source_in, sample_rate_hz)
        spans.append((first.source, start, end, from_sample))
        frame += frames
    half = round_half_up(Fraction(crossfade_s) * sample_rate_hz / 2)
    lengths = [end - start for _, start, end, _ in spans]
    fades = [2 * min(half, a // 2, b // 2) for a, b in pairwise(lengths)]
    return tuple(
        SoundSegment(*span, fade_in_samples=before, fade_out_samples=after)
        for span, before, after in zip(spans, [0, *fades], [*fades, 0], strict=True)
    )


def _runs(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Return the clips in runs, each going on in its source where the one before ended."""
    runs: list[list[Clip]] = []
    for clip in clips:
        last = runs[-1][-1] if runs else None
        if last and (last.source, last.source_out) == (clip.source, clip.source_in):
            runs[-1].append(clip)
        else:
            runs.append([clip])
    return runs
