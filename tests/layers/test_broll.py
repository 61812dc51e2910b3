"""Where clips of b-roll come to lie, how they fade, and what a range of the film shows of them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.layers.broll import (
    BrollWindow,
    PlacedBroll,
    asset_frames,
    place_broll,
    weight_at,
    window_at,
    within,
)
from tasks.settings import BrollSettings, PlacedClip
from tasks.timeline.model import Clip, Timeline
from tests.builders import made_up_source

RATE = Fraction(25)
TALK = made_up_source(rate=RATE)
TIMELINE = Timeline(RATE, (Clip(0, 0, 250), Clip(0, 500, 750), Clip(0, 1000, 1250)))
"""Stays: 0 to 10 s, 20 to 30 s, 40 to 50 s of the talk."""
ASSET = made_up_source("cd" * 32, frames=250)
OTHER = made_up_source("ef" * 32, frames=250)


def placed(*clips: PlacedClip, assets: tuple = (), fade: float = 0.2) -> PlacedBroll:
    settings = BrollSettings(clips=clips, fade=fade)
    return place_broll(TIMELINE, [TALK], assets or (ASSET,) * len(clips), settings)


def clip(at: float, length: float = 2.0, **fields: float) -> PlacedClip:
    return PlacedClip(file="dir/beach.mp4", at=at, length=length, **fields)


def spans(found: PlacedBroll) -> list[tuple[int, int, int]]:
    windows = found.layer.windows if found.layer else ()
    return [(w.start_frame, w.end_frame, w.asset_in) for w in windows]


def test_a_clip_lies_where_its_moment_is_shown() -> None:
    found = placed(clip(22.0, start=1.0))

    assert spans(found) == [(300, 350, 25)]
    assert found.layer is not None
    assert found.layer.windows[0].fade_frames == 5
    assert found.assets == (ASSET,)
    assert found.warnings == ()


def test_a_moment_that_was_cut_out_moves_to_the_next_that_stays() -> None:
    assert spans(placed(clip(15.0))) == [(250, 300, 0)]
    assert spans(placed(clip(10.0))) == [(250, 300, 0)]


def test_a_moment_with_nothing_behind_it_is_dropped_and_told() -> None:
    found = placed(clip(50.0), clip(1.0))

    assert spans(found) == [(25, 75, 0)]
    assert found.warnings == (
        "b-roll beach.mp4 at 50s: nothing from that moment on stays in the film",
    )


def test_the_moment_counts_in_the_file_that_is_named() -> None:
    timeline = Timeline(RATE, (Clip(0, 0, 250), Clip(1, 100, 350)))
    settings = BrollSettings(clips=(clip(5.0, source=1),))

    found = place_broll(timeline, [TALK, made_up_source("12" * 32)], [ASSET], settings)

    assert spans(found) == [(275, 325, 0)]


def test_of_two_that_collide_the_earlier_wins() -> None:
    found = placed(clip(2.0, 3.0), clip(1.0, 2.0), assets=(ASSET, OTHER))

    assert spans(found) == [(25, 75, 0), (75, 125, 0)]
    assert [asset.digest for asset in found.assets] == [OTHER.digest, ASSET.digest]
    assert found.warnings == (
        "b-roll a.mp4 at 2.00s of the film lasts 2.00s, not 3.00s: another clip lies there",
    )


def test_what_would_only_flash_is_left_out() -> None:
    found = placed(clip(1.0, 2.0), clip(1.4, 1.8))

    assert spans(found) == [(25, 75, 0)]
    assert found.warnings == (
        "b-roll a.mp4 at 1.40s of the film is left out: another clip lies there",
    )


def test_a_clip_ends_with_the_film_and_with_itself() -> None:
    assert spans(placed(clip(49.0, 5.0))) == [(725, 750, 0)]
    assert spans(placed(clip(1.0, 5.0, start=8.0))) == [(25, 75, 200)]
    assert "the clip itself ends" in placed(clip(1.0, start=10.0)).warnings[0]
    assert spans(placed(clip(1.0, start=10.0))) == []


def test_a_clip_that_cannot_be_used_is_passed_over() -> None:
    settings = BrollSettings(clips=(clip(1.0), clip(5.0)))

    found = place_broll(TIMELINE, [TALK], [None, OTHER], settings)

    assert spans(found) == [(125, 175, 0)]
    assert found.assets == (OTHER,)


@pytest.mark.parametrize(("rate", "frames"), [("25", 250), ("30", 300), ("30000/1001", 300)])
def test_the_length_of_a_clip_counts_in_frames_of_the_film(rate: str, frames: int) -> None:
    assert asset_frames(ASSET, Fraction(rate)) == frames


def test_a_clip_asked_for_shorter_than_a_flash_is_shown() -> None:
    assert spans(placed(clip(1.0, 0.01), fade=1.0)) == [(25, 26, 0)]


moments = st.builds(
    clip,
    at=st.floats(0, 60),
    length=st.floats(0.01, 15),
    start=st.floats(0, 12),
)


@given(
    st.lists(moments, max_size=8),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 400)), min_size=1, max_size=8),
    st.sampled_from([RATE, Fraction(30), Fraction(30000, 1001)]),
    st.floats(0, 5),
)
def test_windows_never_overlap_nor_leave_the_film_or_the_clip(
    clips: list[PlacedClip], pairs: list[tuple[int, int]], rate: Fraction, fade: float
) -> None:
    at, kept = 0, []
    for gap, length in pairs:
        kept.append(Clip(0, at + gap, at + gap + length))
        at += gap + length
    timeline = Timeline(rate, tuple(kept))
    settings = BrollSettings(clips=tuple(clips), fade=fade)

    found = place_broll(timeline, [TALK], [ASSET] * len(clips), settings)

    windows = found.layer.windows if found.layer else ()
    assert all(a.end_frame <= b.start_frame for a, b in pairwise(windows))
    for window in windows:
        assert 0 <= window.start_frame < window.end_frame <= timeline.frames
        assert window.asset_in >= 0
        assert window.asset_in + window.frames <= asset_frames(ASSET, rate)
        assert 0 <= window.fade_frames <= window.frames // 2
    # Each clip is shown as asked for, or something is said of it.
    asked = sorted(max(1, int(Fraction(c.length) * rate + Fraction(1, 2))) for c in clips)
    shown = [window.frames for window in windows]
    assert len(clips) - len(windows) <= len(found.warnings)
    assert found.warnings or sorted(shown) == asked


def test_the_fade_goes_in_equal_steps_of_256ths() -> None:
    window = BrollWindow(10, 20, 0, 0, fade_frames=3)

    weights = [weight_at(window, frame) for frame in range(10, 20)]

    assert weights == [64, 128, 192, 256, 256, 256, 256, 192, 128, 64]
    assert weight_at(BrollWindow(0, 9, 0, 0), 0) == 256
    # However long a fade is, each frame of the window takes one of its asset's.
    assert weight_at(BrollWindow(0, 1300, 0, 0, 600), 0) == 1
    assert weight_at(BrollWindow(0, 9, 0, 0, 4), 4) == 256


windows = st.builds(
    lambda start, fade, more, first: BrollWindow(
        start, start + 2 * fade + more, 0, first, fade_frames=fade
    ),
    st.integers(0, 60),
    st.integers(0, 12),
    st.integers(1, 40),
    st.integers(0, 9),
)


@given(windows, st.integers(0, 120), st.integers(1, 60))
def test_a_range_shows_what_the_whole_film_shows(
    window: BrollWindow, start: int, length: int
) -> None:
    end = start + length
    if window.start_frame >= end or window.end_frame <= start:
        return
    part = within(window, start, end)

    for frame in range(start, end):
        whole_has = window_at([window], frame) is not None
        assert (window_at([part], frame - start) is not None) == whole_has
        if whole_has:
            assert weight_at(part, frame - start) == weight_at(window, frame)
            shown = part.asset_in + frame - start - part.start_frame
            assert shown == window.asset_in + frame - window.start_frame


def test_what_lies_outside_a_range_does_not_change_it() -> None:
    """A longer window, or another fade, is no news to a chunk in its middle."""
    assert within(BrollWindow(0, 100, 0, 7, 10), 20, 80) == BrollWindow(0, 60, 0, 27, 0)
    assert within(BrollWindow(0, 400, 0, 7, 10), 5, 80) == BrollWindow(-5, 85, 0, 7, 10)
    assert within(BrollWindow(0, 500, 0, 7, 10), 5, 80) == BrollWindow(-5, 85, 0, 7, 10)
