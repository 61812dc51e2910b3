"""Which constant grid a stream's timestamps lie on, and whether they lie on it without holes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tasks.timeline.time import STANDARD_RATES, snapped_rate

FALLBACK_RATE = Fraction(25)
"""For a stream of one picture that names no rate."""

MAX_VARIABLE_RATE = Fraction(60)
"""Variable-rate footage is put on a grid no finer than this."""

FILM_RATE = Fraction(24)
"""The lowest grid for pictures that lie anywhere: a coarser one would move them visibly."""

SHARE_KEPT = 0.99
"""A grid suits variable-rate footage when this share of its pictures get a place of their own."""

MEAN_DEVIATION = 0.12
"""How far from its place a picture may lie on average, in frames; where pictures lie anywhere, the
mean is 0.25."""


def frame_rate_of(
    pts: NDArray[np.int64], time_base_s: Fraction, hints: tuple[Fraction, ...]
) -> tuple[Fraction, bool]:
    """Return the frame rate of a stream and whether it is variable.

    Args:
        pts: presentation timestamps in ticks, rising, without doubles.
        time_base_s: seconds per tick.
        hints: rates that the container claims; believed only where the timestamps agree.

    Returns:
        For constant-rate footage the exact rate (timestamps rounded to milliseconds still count
        as constant). For variable-rate footage the lowest standard rate on whose grid nearly
        every picture has a place of its own.
    """
    usable = tuple(rate for rate in hints if 0 < rate <= 1000)
    if len(pts) < 2 or pts[-1] == pts[0]:
        return (snapped_rate(usable[0]) if usable else FALLBACK_RATE), False
    ticks_s = (pts - pts[0]) * float(time_base_s)
    measured = Fraction(len(pts) - 1) / (int(pts[-1] - pts[0]) * time_base_s)
    close = [rate for rate in (*usable, *STANDARD_RATES) if abs(rate - measured) <= measured / 50]
    # A standard rate is what the camera meant, if every picture has its own place on its grid;
    # an odd one (a screen recorder's 29.98) is believed when no standard one fits.
    for rates in (
        [rate for rate in close if rate in STANDARD_RATES],
        [*close, measured.limit_denominator(1001)],
    ):
        fitting = [
            (round(_deviation(ticks_s, rate), 6), rate) for rate in rates if _fits(ticks_s, rate)
        ]
        if fitting:
            return min(fitting)[1], False
    return _variable_rate(ticks_s, usable), True


def _places(ticks_s: NDArray[np.float64], rate: Fraction) -> NDArray[np.float64]:
    return np.floor(ticks_s * float(rate) + 0.5)


def _deviation(ticks_s: NDArray[np.float64], rate: Fraction) -> float:
    """Return the mean distance of the pictures from their grid places, in frames."""
    at = ticks_s * float(rate)
    return float(np.mean(np.abs(at - np.floor(at + 0.5))))


def _fits(ticks_s: NDArray[np.float64], rate: Fraction) -> bool:
    """Return whether picture n lies nearest to place n for every n, and near to it on average."""
    is_counted = np.array_equal(_places(ticks_s, rate), np.arange(len(ticks_s)))
    return bool(is_counted) and _deviation(ticks_s, rate) <= MEAN_DEVIATION


def _variable_rate(ticks_s: NDArray[np.float64], hints: tuple[Fraction, ...]) -> Fraction:
    """Return the lowest rate whose grid gives nearly each picture its own place, and near to it.

    The second half matters: 30 fps footage that lost every fifth picture has a place for each on a
    grid of 24, but up to half a frame from where it belongs.
    """
    rates = sorted({*STANDARD_RATES, *(snapped_rate(hint) for hint in hints)})
    rates = [rate for rate in rates if 10 <= rate <= MAX_VARIABLE_RATE]
    roomy = [
        rate
        for rate in rates
        if len(np.unique(_places(ticks_s, rate))) >= SHARE_KEPT * len(ticks_s)
    ] or [MAX_VARIABLE_RATE]
    close = [rate for rate in roomy if _deviation(ticks_s, rate) <= MEAN_DEVIATION]
    lowest = (close or [rate for rate in roomy if rate >= FILM_RATE] or roomy)[0]
    siblings = [rate for rate in rates if abs(rate - lowest) <= lowest / 500] or [lowest]
    return min(siblings, key=lambda rate: (round(_deviation(ticks_s, rate), 6), rate))
