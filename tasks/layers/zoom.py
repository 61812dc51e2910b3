"""The breathing zoom: 1 → max → 1 along a half sine, around the speaker's face.

Where a cycle starts is anchored in content, not in the clock: some cuts are anchors, picked by what
is shown behind them, and between two anchors a whole number of cycles fits. The factor is 1 at
every anchor, so nothing jumps there; it runs smoothly across the small cuts between; and an edit
elsewhere moves no cycle beyond the neighbouring anchors.

The zoom keeps one point of the picture, the focus, where it is and enlarges around it. So for any
focus inside the picture and any factor of 1 or more, no edge can ever come into view.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, pi, sin

from tasks.analysis.faces import FaceTrack
from tasks.analysis.subject import subject_at
from tasks.settings import ZoomSettings
from tasks.timeline.marks import cut_marks, lowest_in_reach, lowest_inside, uncut_marks
from tasks.timeline.model import Canvas, Source, Timeline

MIN_SPAN_S = 1.0
"""Anchors lie at least this far apart, however short a period is asked for."""

LONGEST_SPAN = 1.5
"""A longer span, in periods, is divided at its lowest cut, where it has one away from its ends."""

FOCUS_STEP_S = 2.0
"""About how far the points lie apart between which the focus glides."""

FOCUS_SIGMA_S = 1.0
"""Width of the Gaussian with which the face's position is averaged around such a point."""

COMFORTABLE_FACE = 0.3
"""Height of a face, as a part of the picture's, at which the zoom has the depth asked for."""

CENTRE = (0.5, 0.45)
"""Focus without a face: a little above the middle, where a head usually is."""


@dataclass(frozen=True, slots=True)
class ZoomSpan:
    """Timeline frames between two anchors, filled with whole cycles."""

    start_frame: int
    end_frame: int
    cycles: int
    max_factor: float
    """Factor at the middle of each cycle, at least 1."""


@dataclass(frozen=True, slots=True)
class FocusPoint:
    """Where the focus is at one timeline frame, as parts of the canvas."""

    frame: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class ZoomLayer:
    """The zoom of a whole film (or, with frames counted from its start, of a chunk)."""

    spans: tuple[ZoomSpan, ...]
    """In order, without gaps."""
    focus: tuple[FocusPoint, ...]
    """In order; between two points the focus glides, before and behind them it holds."""


@dataclass(frozen=True, slots=True)
class ZoomState:
    """What the zoom does to one frame."""

    factor: float = 1.0
    x: float = 0.5
    """The point that stays where it is, as a part of the canvas's width."""
    y: float = 0.5


def zoom_at(layer: ZoomLayer, frame: int) -> ZoomState:
    """Return the zoom at a timeline frame: ``1 + (max - 1) · sin(π · phase)``."""
    number = bisect_right(layer.spans, frame, key=lambda span: span.start_frame) - 1
    if number < 0 or frame >= layer.spans[number].end_frame:
        return ZoomState()
    span = layer.spans[number]
    # Integer arithmetic keeps the phase free of any drift along a long span.
    length = span.end_frame - span.start_frame
    phase = (frame - span.start_frame) * span.cycles % length / length
    x, y = _focus_at(layer.focus, frame)
    return ZoomState(1 + (span.max_factor - 1) * sin(pi * phase), x, y)


def _focus_at(points: Sequence[FocusPoint], frame: int) -> tuple[float, float]:
    """Return the focus at a frame, gliding along a smoothstep (3t² - 2t³) between two points."""
    if not points:
        return CENTRE
    number = bisect_right(points, frame, key=lambda point: point.frame)
    if number == 0:
        return points[0].x, points[0].y
    before = points[number - 1]
    if number == len(points):
        return before.x, before.y
    after = points[number]
    t = (frame - before.frame) / (after.frame - before.frame)
    eased = t * t * (3 - 2 * t)
    return before.x + (after.x - before.x) * eased, before.y + (after.y - before.y) * eased


def anchors(
    timeline: Timeline, sources: Sequence[Source], settings: ZoomSettings
) -> tuple[int, ...]:
    """Return the timeline frames of the anchors, from the film's start to its end.

    A cut is an anchor when the picture behind it has the lowest hash of all cuts within half a
    period: anchors then lie about a period apart. Where nothing is cut for long, every second
    period of the footage's own count is one, so that a long take breathes exactly as asked for,
    and an edit at one end of it does not reach the other.
    """
    period_frames = max(2, round(settings.period * timeline.rate))
    reach = max(round(MIN_SPAN_S * timeline.rate), period_frames // 2)
    cuts = list(cut_marks(timeline, sources))
    inside = uncut_marks(timeline, sources, 2 * period_frames, period_frames)
    picked = [*lowest_in_reach(cuts, 0, timeline.frames, reach), *(mark.frame for mark in inside)]
    at = [0, *sorted(picked), timeline.frames]
    # Cuts that lie thinly have no lowest one for long.
    longest = max(2 * reach, round(LONGEST_SPAN * period_frames))
    more = [lowest_inside(cuts, low, high, reach, longest) for low, high in pairwise(at)]
    return tuple(sorted([*at, *(frame for frames in more for frame in frames)]))


def zoom_layer(
    timeline: Timeline,
    sources: Sequence[Source],
    tracks: Sequence[FaceTrack],
    canvas: Canvas,
    settings: ZoomSettings,
) -> ZoomLayer:
    """Return the zoom of a film.

    Args:
        timeline: what stays.
        sources: the footage; positions of faces refer to its displayed picture.
        tracks: the followed face of each source, empty where none was found.
        canvas: what the film is drawn on.
        settings: depth, period, and how far the face's size changes the depth.
    """
    spans: list[ZoomSpan] = []
    points: list[FocusPoint] = []
    at = anchors(timeline, sources, settings)
    seen = _FaceView(timeline, sources, tracks, canvas)
    for start, end in pairwise(at):
        cycles = max(1, round((end - start) / float(timeline.rate) / settings.period))
        glide = _glide(seen, start, end)
        size = _median([face.size for face in seen.faces_between(start, end)])
        points += glide
        spans.append(ZoomSpan(start, end, cycles, _depth(settings, size)))
    return ZoomLayer(tuple(spans), tuple(points))


def _depth(settings: ZoomSettings, face_size: float | None) -> float:
    """Return the factor at mid-cycle: a small face draws a little nearer, a large one less."""
    if face_size is None:
        return settings.max
    tweak = max(-1.0, min(1.0, (COMFORTABLE_FACE - face_size) / COMFORTABLE_FACE))
    return round(1 + (settings.max - 1) * (1 + settings.face_weight * tweak), 6)


def _median(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None


@dataclass(frozen=True, slots=True)
class _Face:
    frame: int
    x: float
    y: float
    size: float


class _FaceView:
    """The followed faces along the timeline, in parts of the canvas."""

    def __init__(
        self,
        timeline: Timeline,
        sources: Sequence[Source],
        tracks: Sequence[FaceTrack],
        canvas: Canvas,
    ) -> None:
        self.rate = timeline.rate
        step = max(1, round(timeline.rate / 2))
        self._faces: list[_Face] = []
        for clip, start in zip(timeline.clips, timeline.clip_starts(), strict=False):
            grid = sources[clip.source].grid(timeline.rate)
            width, height = canvas.share_filled(sources[clip.source])
            # Samples stand on multiples of the source's own steps: a trim does not shift them.
            for at in range(-(-clip.source_in // step) * step, clip.source_out, step):
                face = subject_at(tracks[clip.source], float(grid.time_of(at)))
                if face is not None:
                    frame = start + at - clip.source_in
                    x = 0.5 + (face.x - 0.5) * width
                    y = 0.5 + (face.y - 0.5) * height
                    self._faces.append(_Face(frame, x, y, face.size * height))

    def faces_between(self, start: int, end: int) -> list[_Face]:
        low = bisect_right(self._faces, start - 1, key=lambda face: face.frame)
        high = bisect_right(self._faces, end - 1, key=lambda face: face.frame)
        return self._faces[low:high]


def _glide(seen: _FaceView, start: int, end: int) -> list[FocusPoint]:
    """Return the focus points of one span, each a weighted mean of the face around it."""
    pieces = max(1, round((end - start) / float(seen.rate) / FOCUS_STEP_S))
    frames = [min(start + (end - start) * n // pieces, end - 1) for n in range(pieces + 1)]
    return [_mean_focus(seen, frame, start, end) or FocusPoint(frame, *CENTRE) for frame in frames]


def _mean_focus(seen: _FaceView, frame: int, start: int, end: int) -> FocusPoint | None:
    """Return the face's position around a frame, averaged with Gaussian weights in its span."""
    sigma_frames = FOCUS_SIGMA_S * float(seen.rate)
    reach = round(4 * sigma_frames)
    near = seen.faces_between(max(start, frame - reach), min(end, frame + reach))
    near = near or seen.faces_between(start, end)
    if not near:
        return None
    weights = [exp(-(((face.frame - frame) / sigma_frames) ** 2) / 2) + 1e-9 for face in near]
    total = sum(weights)
    x = sum(weight * face.x for weight, face in zip(weights, near, strict=True)) / total
    y = sum(weight * face.y for weight, face in zip(weights, near, strict=True)) / total
    return FocusPoint(frame, round(min(1.0, max(0.0, x)), 5), round(min(1.0, max(0.0, y)), 5))
