"""The arithmetic of time."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.timeline.time import (
    STANDARD_RATES,
    FrameGrid,
    Span,
    complement,
    merged,
    round_half_up,
    snapped_rate,
)

rates = st.sampled_from(STANDARD_RATES)
spans = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 200)).map(
        lambda pair: Span(pair[0] / 10, (pair[0] + pair[1]) / 10)
    ),
    max_size=30,
)


@given(rate=rates, frame=st.integers(-(10**7), 10**7), origin=st.fractions(-1, 1))
def test_a_frame_is_where_it_starts(rate: Fraction, frame: int, origin: Fraction) -> None:
    grid = FrameGrid(rate, origin)

    assert grid.frame_at(grid.time_of(frame)) == frame


@given(rate=rates, lengths=st.lists(st.integers(1, 500), min_size=1, max_size=400))
def test_samples_of_clips_add_up_without_drift(rate: Fraction, lengths: list[int]) -> None:
    grid = FrameGrid(rate)
    starts = [sum(lengths[:n]) for n in range(len(lengths) + 1)]

    samples = [grid.sample_at(frame, 48_000) for frame in starts]

    assert abs(samples[-1] - grid.time_of(starts[-1]) * 48_000) <= Fraction(1, 2)
    assert samples == sorted(samples)


@given(value=st.fractions())
def test_a_half_goes_up(value: Fraction) -> None:
    assert Fraction(-1, 2) < round_half_up(value) - value <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("measured", "rate"),
    [
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(23976, 1000), Fraction(24000, 1001)),
        (Fraction(24), Fraction(24)),
        (Fraction(5994, 100), Fraction(60000, 1001)),
        (Fraction(30), Fraction(30)),
        (Fraction(289, 10), Fraction(289, 10)),
    ],
)
def test_rates_snap_to_what_cameras_write(measured: Fraction, rate: Fraction) -> None:
    assert snapped_rate(measured) == rate


@given(spans=spans)
def test_merged_and_complement_tile_the_whole(spans: list[Span]) -> None:
    whole = Span(0.0, 130.0)
    inside = merged(spans)
    outside = complement(inside, whole)

    covered = sum(s.duration_s for s in inside) + sum(s.duration_s for s in outside)
    assert covered == pytest.approx(130)
    assert all(a.end_s < b.start_s for a, b in pairwise(inside))


def test_bad_values_are_refused() -> None:
    with pytest.raises(ValueError, match="frame rate"):
        FrameGrid(Fraction(0))
    with pytest.raises(ValueError, match="ends before"):
        Span(2.0, 1.0)
