"""Frame rates read off timestamps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.timeline.rates import frame_rate_of
from tasks.timeline.time import STANDARD_RATES

MS = Fraction(1, 1000)
common = st.sampled_from([rate for rate in STANDARD_RATES if 12 <= rate <= 60])


def stamps(rate: Fraction, numbers: np.ndarray, time_base_s: Fraction) -> np.ndarray:
    return np.array([round(Fraction(int(n)) / rate / time_base_s) for n in numbers], np.int64)


@given(rate=common, frames=st.integers(2, 3000))
def test_exact_timestamps_give_the_exact_rate(rate: Fraction, frames: int) -> None:
    time_base_s = Fraction(1, 90_000)
    pts = stamps(rate, np.arange(frames), time_base_s)

    assert frame_rate_of(pts, time_base_s, (rate,)) == (rate, False)


@given(rate=common)
def test_millisecond_timestamps_are_constant_still(rate: Fraction) -> None:
    assert frame_rate_of(stamps(rate, np.arange(900), MS), MS, ()) == (rate, False)


@given(rate=st.sampled_from([Fraction(30), Fraction(25), Fraction(60)]), seed=st.integers(0, 99))
def test_holes_leave_the_grid_as_it_was(rate: Fraction, seed: int) -> None:
    kept = np.flatnonzero(np.random.default_rng(seed).random(600) > 0.3)
    time_base_s = Fraction(1, 90_000)

    assert frame_rate_of(stamps(rate, kept, time_base_s), time_base_s, ()) == (rate, True)


def test_every_fifth_picture_lost_is_no_slower_rate() -> None:
    kept = np.array([n for n in range(600) if n % 5 != 2])
    time_base_s = Fraction(1, 15_360)

    rate, is_vfr = frame_rate_of(stamps(Fraction(30), kept, time_base_s), time_base_s, ())

    assert (rate, is_vfr) == (30, True)


@pytest.mark.parametrize(("hints", "rate"), [((), Fraction(25)), ((Fraction(30),), Fraction(30))])
def test_one_picture(hints: tuple[Fraction, ...], rate: Fraction) -> None:
    assert frame_rate_of(np.array([5], np.int64), MS, hints) == (rate, False)


def test_a_lying_header_is_not_believed() -> None:
    pts = stamps(Fraction(30), np.arange(300), MS)

    assert frame_rate_of(pts, MS, (Fraction(1000), Fraction(60))) == (30, False)
