"""Time: the output's frame grid, samples and seconds. Nothing else in finecut rounds a time.

Two coordinate systems, and every name says which:

- *source time*: seconds since the earliest stream of one file starts.
- *timeline time*: a `timeline frame` is an integer on the output's constant grid.

Both are counted in frames of the same rate. A source's grid is shifted by its `origin_s` so that
the frames of constant-rate footage lie exactly on it. Ranges are half open, ``[start, end)``.
Positions are rounded, durations never are: rounding 400 durations at 30000/1001 drifts by frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

STANDARD_RATES = tuple(
    Fraction(n, d)
    for n, d in (
        (10, 1),
        (12, 1),
        (25, 2),
        (15, 1),
        (15000, 1001),
        (20, 1),
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (48000, 1001),
        (48, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
        (90, 1),
        (100, 1),
        (120000, 1001),
        (120, 1),
    )
)
"""Frame rates that cameras, phones and screen recorders write, in frames per second."""

RATE_TOLERANCE = Fraction(4, 10_000)
"""How far a measured rate may lie from a standard one and mean it; 23.976 is 0.1 % from 24."""


def round_half_up(value: Fraction) -> int:
    """Return the nearest integer; a half goes up, so neighbouring positions never swap."""
    return floor(value + Fraction(1, 2))


def snapped_rate(measured: Fraction) -> Fraction:
    """Return the standard rate within `RATE_TOLERANCE` of a measured one, else that one."""
    nearest = min(STANDARD_RATES, key=lambda rate: abs(rate - measured))
    if abs(nearest - measured) <= measured * RATE_TOLERANCE:
        return nearest
    return measured.limit_denominator(1001)


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """A constant frame grid: frame `n` is on screen from ``origin_s + n / rate``."""

    rate: Fraction
    """Frames per second, exact: 30000/1001, never 29.97."""
    origin_s: Fraction = Fraction(0)
    """Where frame 0 lies, in seconds."""

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"a frame rate must be above 0 (got {self.rate})")

    def frame_at(self, time_s: Fraction | float) -> int:
        """Return the frame whose start is nearest to a time in seconds."""
        return round_half_up((Fraction(time_s) - self.origin_s) * self.rate)

    def time_of(self, frame: int) -> Fraction:
        """Return when a frame starts, in seconds."""
        return self.origin_s + Fraction(frame) / self.rate

    def sample_at(self, frame: int, sample_rate_hz: int) -> int:
        """Return the sample on which a frame starts (timeline samples for the timeline's grid)."""
        return round_half_up(self.time_of(frame) * sample_rate_hz)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range ``[start_s, end_s)`` of source time, in seconds."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.start_s <= self.end_s:
            raise ValueError(f"a span ends before it starts ({self.start_s} .. {self.end_s} s)")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


def merged(spans: list[Span] | tuple[Span, ...], gap_s: float = 0.0) -> tuple[Span, ...]:
    """Return the spans in order, those that overlap or lie within `gap_s` of one another joined."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.start_s <= out[-1].end_s + gap_s:
            out[-1] = Span(out[-1].start_s, max(out[-1].end_s, span.end_s))
        else:
            out.append(span)
    return tuple(out)


def complement(spans: tuple[Span, ...], whole: Span) -> tuple[Span, ...]:
    """Return what of `whole` no span covers, in order; empty gaps are left out."""
    out: list[Span] = []
    at_s = whole.start_s
    for span in merged(spans):
        if span.start_s > at_s:
            out.append(Span(at_s, min(span.start_s, whole.end_s)))
        at_s = max(at_s, span.end_s)
        if at_s >= whole.end_s:
            break
    if at_s < whole.end_s:
        out.append(Span(at_s, whole.end_s))
    return tuple(span for span in out if span.duration_s > 0)
