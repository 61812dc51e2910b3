"""Chunks: where the film is cut into pieces that render apart, and what each piece is made of.

Borders follow the content, so that they fall into step again behind an edit: the best place within
reach is where the zoom rests, else a cut, else a frame that the footage's own count picks. A chunk
is counted from its own start: moving it along the timeline changes nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter

from tasks.layers.broll import BrollWindow, window_at, within
from tasks.layers.subtitles import ass_document
from tasks.layers.zoom import ZoomLayer
from tasks.render.plan import RenderPlan
from tasks.timeline.marks import (
    Mark,
    between,
    cut_marks,
    in_order,
    lowest_in_reach,
    marks_at,
    uncut_marks,
)
from tasks.timeline.model import Clip, ColorTags, Source


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of timeline frames, all else counted from its first frame."""

    start_frame: int
    """Where it lies on the timeline; no part of what it shows."""
    clips: tuple[Clip, ...]
    zoom: ZoomLayer | None
    subtitles: str | None
    """An ASS document, where a subtitle touches the chunk."""
    is_tone_mapped: bool = False
    """Whether its pictures are HDR, brought to SDR in the filter graph."""
    broll: tuple[BrollWindow, ...] = ()
    """What of the b-roll touches the chunk, with the plan's numbers of the assets."""

    @property
    def frames(self) -> int:
        return sum(clip.frames for clip in self.clips)

    @property
    def end_frame(self) -> int:
        return self.start_frame + self.frames


def chunks(plan: RenderPlan, borders: tuple[int, ...] | None = None) -> tuple[Chunk, ...]:
    """Return the chunks of a plan, end to end over the whole timeline.

    Args:
        plan: the render plan.
        borders: timeline frames from 0 to the end, in order; none: the plan's own.
    """
    at = borders if borders is not None else chunk_borders(plan)
    return tuple(_chunk(plan, start, end) for start, end in pairwise(at))


def files_of(plan: RenderPlan, parts: Iterable[Chunk]) -> list[Source]:
    """Return the sources and assets that some chunks show, each once, in the plan's order."""
    clips, assets = set(), set()
    for part in parts:
        clips |= {clip.source for clip in part.clips}
        assets |= {window.asset for window in part.broll}
    shown = [plan.sources[n] for n in sorted(clips)] + [plan.assets[n] for n in sorted(assets)]
    return list({source.digest: source for source in shown}.values())


def chunk_borders(plan: RenderPlan) -> tuple[int, ...]:
    """Return the borders of a plan's chunks, from 0 to the timeline's end."""
    marks = _marks(plan)
    forced = sorted({0, plan.timeline.frames, *_tone_borders(plan)})
    out = [0]
    for start, end in pairwise(forced):
        chosen = [start, *lowest_in_reach(marks, start, end, plan.min_chunk_frames), end]
        for low, high in pairwise(chosen):
            out += [*_split(plan, marks, low, high), high]
    return tuple(out)


def _marks(plan: RenderPlan) -> list[Mark]:
    """Return where a chunk may end: best where the zoom rests, else on a cut, else anywhere."""
    timeline, sources = plan.timeline, plan.sources
    step = max(1, plan.min_chunk_frames // 4)
    resting = [span.start_frame for span in plan.zoom.spans] if plan.zoom else []
    return in_order(
        marks_at(resting, timeline, sources, rank=0),
        cut_marks(timeline, sources, rank=1),
        uncut_marks(timeline, sources, step, step, rank=3),
    )


def incoming_color(plan: RenderPlan, chunk: Chunk) -> ColorTags:
    """Return the colours of the pictures that a chunk's graph is fed with."""
    window = window_at(chunk.broll, 0)
    source = plan.assets[window.asset] if window else plan.sources[chunk.clips[0].source]
    return source.video.color if source.video else plan.canvas.color


def _hdr_color(source: Source) -> ColorTags | None:
    """Return the colours that a source's pictures are tone-mapped from; none where they are SDR."""
    is_hdr = source.video is not None and source.video.color.is_hdr
    return source.video.color if is_hdr and source.video else None


def _tone_at(plan: RenderPlan, frame: int) -> ColorTags | None:
    """Return the colours that a frame is tone-mapped from; none where it is SDR.

    In a window that fades, asset and talk have the same.
    """
    window = window_at(plan.broll.windows, frame) if plan.broll else None
    if window is not None:
        return _hdr_color(plan.assets[window.asset])
    number = bisect_right(plan.timeline.clip_starts(), frame) - 1
    return _hdr_color(plan.sources[plan.timeline.clips[number].source])


def _tone_borders(plan: RenderPlan) -> Iterator[int]:
    """Yield where SDR and HDR pictures meet: one chunk has one pixel format."""
    if not any(_hdr_color(source) for source in (*plan.sources, *plan.assets)):
        return
    windows = plan.broll.windows if plan.broll else ()
    edges = {edge for window in windows for edge in (window.start_frame, window.end_frame)}
    frames = sorted({*plan.timeline.clip_starts(), *edges} - {plan.timeline.frames})
    tones = [_tone_at(plan, frame) for frame in frames]
    for number in range(1, len(frames)):
        if tones[number] != tones[number - 1]:
            yield frames[number]


def _split(plan: RenderPlan, marks: Sequence[Mark], start: int, end: int) -> list[int]:
    """Return the borders inside a stretch, so that no chunk is longer than the plan allows."""
    out: list[int] = []
    waiting = [(start, end)]
    while waiting:
        low, high = waiting.pop()
        if high - low <= plan.max_chunk_frames:
            continue
        room = min(plan.min_chunk_frames, (high - low) // 3)
        inside = between(marks, low + room, high - room)
        lowest = min(inside, key=attrgetter("lowness"), default=None)
        border = lowest.frame if lowest else (low + high) // 2
        out.append(border)
        waiting += [(low, border), (border, high)]
    return sorted(out)


def _chunk(plan: RenderPlan, start: int, end: int) -> Chunk:
    broll = tuple(_broll_between(plan, start, end))
    covers = [w for w in broll if not w.fade_frames and w.frames == end - start]
    return Chunk(
        start_frame=start,
        clips=tuple(_clips_between(plan, start, end)),
        # B-roll is not zoomed: where nothing else is seen, the zoom is no part of the picture.
        zoom=_zoom_between(plan.zoom, start, end) if plan.zoom and not covers else None,
        subtitles=_subtitles_between(plan, start, end),
        is_tone_mapped=_tone_at(plan, start) is not None,
        broll=broll,
    )


def _broll_between(plan: RenderPlan, start: int, end: int) -> Iterator[BrollWindow]:
    """Yield what of the b-roll touches a range, counted from its start.

    HDR does not fade into SDR: the pictures of a chunk are mixed before they are tone-mapped.
    """
    for window in plan.broll.windows if plan.broll else ():
        if window.start_frame < end and window.end_frame > start:
            below = _clips_between(plan, window.start_frame, window.end_frame)
            tones = {_hdr_color(plan.sources[clip.source]) for clip in below}
            fades = tones == {_hdr_color(plan.assets[window.asset])}
            yield within(window if fades else replace(window, fade_frames=0), start, end)


def _clips_between(plan: RenderPlan, start: int, end: int) -> Iterator[Clip]:
    starts = plan.timeline.clip_starts()
    number = bisect_right(starts, start) - 1
    while number < len(plan.timeline.clips) and starts[number] < end:
        clip, at = plan.timeline.clips[number], starts[number]
        low, high = max(start, at) - at, min(end, at + clip.frames) - at
        yield Clip(clip.source, clip.source_in + low, clip.source_in + high)
        number += 1


def _zoom_between(layer: ZoomLayer, start: int, end: int) -> ZoomLayer:
    """Return what of the zoom touches a range, counted from its start; borders may be negative."""
    spans = tuple(
        replace(span, start_frame=span.start_frame - start, end_frame=span.end_frame - start)
        for span in layer.spans
        if span.start_frame < end and span.end_frame > start
    )
    first = max(0, bisect_right(layer.focus, start, key=lambda point: point.frame) - 1)
    # Of two points on one frame the later one counts.
    last = bisect_right(layer.focus, end - 1, key=lambda point: point.frame) - 1
    if last < 0 or layer.focus[last].frame < end - 1:
        last += 1
    focus = layer.focus[first : last + 1]
    return ZoomLayer(spans, tuple(replace(point, frame=point.frame - start) for point in focus))


def _subtitles_between(plan: RenderPlan, start: int, end: int) -> str | None:
    if plan.subtitles is None or not plan.subtitles.touches(start, end):
        return None
    return ass_document(
        plan.subtitles,
        rate=plan.timeline.rate,
        width_px=plan.canvas.width_px,
        height_px=plan.canvas.height_px,
        start_frame=start,
        end_frame=end,
    )
