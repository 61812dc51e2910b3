"""The breathing zoom: its formula, its anchors, its focus, and that no edge ever shows."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.analysis.faces import FaceTrack, SubjectPoint
from tasks.layers.zoom import (
    FocusPoint,
    ZoomLayer,
    ZoomSpan,
    ZoomState,
    anchors,
    zoom_at,
    zoom_layer,
)
from tasks.media import warp
from tasks.settings import ZoomSettings
from tasks.timeline.model import Canvas, Clip, ColorTags, Source, Timeline, VideoStream

RATE = Fraction(30)
CANVAS = Canvas(1280, 720, RATE, ColorTags("tv"))
SIZE = (320, 180)


def source(frames: int = 100_000) -> Source:
    end_s = Fraction(frames, 30)
    video = VideoStream(0, "h264", 1280, 720, "yuv420p", RATE, False, frames, Fraction(0), end_s)
    return Source("d" * 64, "talk.mp4", "mp4", 1, end_s, video, None)


def layer_of(clips: list[Clip], track: FaceTrack | None = None, **settings: float) -> ZoomLayer:
    face = track or FaceTrack((SubjectPoint(0.0, 0.3, 0.4, 0.3),))
    timeline = Timeline(RATE, tuple(clips))
    return zoom_layer(timeline, [source()], [face], CANVAS, ZoomSettings(**settings))


def clips_of(pairs: list[tuple[int, int]]) -> list[Clip]:
    """Return clips, each given by the gap before it and its length."""
    ends = list(accumulate(gap + length for gap, length in pairs))
    return [Clip(0, end - length, end) for end, (_, length) in zip(ends, pairs, strict=True)]


pairs = st.tuples(st.integers(1, 90), st.integers(1, 300))
clip_lists = st.lists(pairs, min_size=1, max_size=80).map(clips_of)
long_clip_lists = st.lists(pairs, min_size=40, max_size=80).map(clips_of)


def test_the_factor_follows_a_half_sine() -> None:
    layer = ZoomLayer((ZoomSpan(0, 360, 2, 1.3),), ())

    got = [zoom_at(layer, frame).factor for frame in range(360)]

    wanted = [1 + 0.3 * math.sin(math.pi * (frame % 180) / 180) for frame in range(360)]
    assert got == pytest.approx(wanted)


def test_an_uncut_minute_breathes_every_six_seconds() -> None:
    layer = layer_of([Clip(0, 0, 1800)])

    assert layer.spans == tuple(ZoomSpan(at, at + 360, 2, 1.15) for at in range(0, 1800, 360))


@given(clips=clip_lists)
def test_spans_tile_the_film_and_each_starts_at_factor_1(clips: list[Clip]) -> None:
    layer = layer_of(clips)

    frames = sum(clip.frames for clip in clips)
    borders = [0, *(span.end_frame for span in layer.spans)]
    assert borders == [*(span.start_frame for span in layer.spans), frames]
    for span in layer.spans:
        assert zoom_at(layer, span.start_frame).factor == 1
        assert span.cycles >= 1
        length_s = (span.end_frame - span.start_frame) / 30
        assert span.cycles == max(1, round(length_s / 6))


@given(clips=clip_lists)
def test_anchors_are_cuts_or_lie_deep_inside_a_take_and_lie_apart(clips: list[Clip]) -> None:
    timeline = Timeline(RATE, tuple(clips))

    at = anchors(timeline, [source()], ZoomSettings())

    inside = [
        start + frame - clip.source_in
        for clip, start in zip(clips, timeline.clip_starts(), strict=False)
        for frame in range(clip.source_in + 180, clip.source_out - 179)
        if frame % 360 == 0
    ]
    assert set(at) <= {*timeline.clip_starts(), *inside}
    assert all(b - a >= 90 for a, b in pairwise(at)) or len(at) == 2


@given(clips=long_clip_lists, data=st.data())
def test_an_edit_moves_no_cycle_beyond_the_neighbouring_anchors(
    clips: list[Clip], data: st.DataObject
) -> None:
    gone = data.draw(st.integers(1, len(clips) - 2))
    before = Timeline(RATE, tuple(clips))
    after = Timeline(RATE, tuple(clips[:gone] + clips[gone + 1 :]))
    cut, shift = before.clip_starts()[gone], clips[gone].frames

    old, new = (anchors(each, [source()], ZoomSettings()) for each in (before, after))

    reach = 2 * 90
    early = [frame for frame in old if frame < cut - reach]
    late = [frame - shift for frame in old if frame > cut + shift + reach]
    assert [frame for frame in new if frame < cut - reach] == early
    assert [frame for frame in new if frame > cut + reach] == [
        frame for frame in late if frame > cut + reach
    ]


@given(clips=clip_lists)
def test_the_focus_glides(clips: list[Clip]) -> None:
    """Within a span the focus moves a little from frame to frame; it jumps at factor 1 alone."""
    points = tuple(
        SubjectPoint(n / 1.0, 0.5 + 0.3 * math.sin(n / 9), 0.4, 0.3) for n in range(2000)
    )
    layer = layer_of(clips, FaceTrack(points))
    starts = {span.start_frame for span in layer.spans}
    states = [zoom_at(layer, frame) for frame in range(min(900, layer.spans[-1].end_frame))]

    for frame, (a, b) in enumerate(pairwise(states), start=1):
        if frame not in starts:
            # A pixel's way through the change of the focus alone, as a part of the width.
            assert abs(b.x - a.x) * (1 - 1 / b.factor) < 0.01


def test_a_small_face_draws_nearer_and_a_large_one_less() -> None:
    depth = [
        layer_of([Clip(0, 0, 600)], FaceTrack((SubjectPoint(0, 0.5, 0.5, size),)))
        .spans[0]
        .max_factor
        for size in (0.1, 0.3, 0.6)
    ]

    assert depth[0] > depth[1] == 1.15 > depth[2] > 1.11


def test_the_focus_is_on_the_face() -> None:
    state = zoom_at(layer_of([Clip(0, 0, 600)]), 90)

    assert (state.x, state.y) == pytest.approx((0.3, 0.4), abs=0.001)


@given(
    factor=st.floats(1, 3),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    is_opencv=st.booleans(),
)
def test_no_edge_ever_shows(factor: float, x: float, y: float, is_opencv: bool) -> None:
    """A picture that is 200 everywhere stays 200: nothing from outside is mixed in."""
    width, height = SIZE
    planes = (
        np.full((height, width), 200, np.uint8),
        np.full((height // 2, width // 2), 90, np.uint8),
        np.full((height // 2, width // 2), 160, np.uint8),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warp, "renderer", lambda: "opencv" if is_opencv else "pillow")
        got = warp.zoomed(planes, ZoomState(factor, x, y))

    assert [np.unique(plane).tolist() for plane in got] == [[200], [90], [160]]


@given(factor=st.floats(1.0001, 3), x=st.floats(0, 1), y=st.floats(0, 1))
def test_samples_come_from_inside_and_the_focus_stays(factor: float, x: float, y: float) -> None:
    """A ramp shows where each sample came from: within the picture, rising, still at the focus."""
    width, height = 256, 64
    ramp = np.tile(np.arange(width, dtype=np.uint8), (height, 1))
    flat = np.full((height // 2, width // 2), 128, np.uint8)

    luma = warp.zoomed((ramp, flat, flat), ZoomState(factor, x, y))[0][0].astype(float)

    wanted = x * width + (np.arange(width) + 0.5 - x * width) / factor - 0.5
    assert np.abs(luma - np.clip(wanted, 0, width - 1)).max() <= 1
    assert (np.diff(luma) >= 0).all()


@pytest.mark.parametrize("is_opencv", [True, False])
def test_a_still_point_does_not_jitter(monkeypatch: pytest.MonkeyPatch, is_opencv: bool) -> None:
    """The rms of the second difference of a tracked dot stays under 0.05 px along a cycle."""
    monkeypatch.setattr(warp, "renderer", lambda: "opencv" if is_opencv else "pillow")
    width, height = 640, 360
    rows, columns = np.mgrid[0:height, 0:width]
    dot = 200 * np.exp(-((columns - 402.3) ** 2 + (rows - 251.6) ** 2) / (2 * 8**2))
    luma = (16 + dot).astype(np.uint8)
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    layer = ZoomLayer((ZoomSpan(0, 180, 1, 1.15),), (FocusPoint(0, 0.3, 0.4),))
    path = []
    for frame in range(180):
        seen = warp.zoomed((luma, chroma, chroma), zoom_at(layer, frame))[0].astype(float) - 16
        seen[seen < 4] = 0
        path.append(((seen * columns).sum() / seen.sum(), (seen * rows).sum() / seen.sum()))

    jitter_px = np.sqrt((np.diff(np.array(path), 2, axis=0) ** 2).mean(axis=0))

    assert jitter_px.max() <= 0.05
