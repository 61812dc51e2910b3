"""A stretch of the film alone: the chunks that touch it, at final quality, with its sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from tasks.errors import BadSettings
from tasks.layers.broll import BrollLayer
from tasks.render.chunks import Chunk
from tasks.render.plan import RenderPlan
from tasks.timeline.model import Clip, Cut, Timeline


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of the finished film, in seconds of timeline time, ``[start_s, end_s)``."""

    start_s: float = 0.0
    end_s: float | None = None
    """None: to the film's end."""

    def __post_init__(self) -> None:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise BadSettings(
                f"--to {self.end_s:g}s is not behind --from {self.start_s:g}s",
                "times are those of the finished film",
            )


def chosen(plan: RenderPlan, parts: Sequence[Chunk], asked: Excerpt) -> tuple[Chunk, ...]:
    """Return the chunks that touch a stretch, which are those that the whole film has.

    Raises:
        BadSettings: the film ends before it.
    """
    length_s = float(plan.timeline.frames / plan.timeline.rate)
    if asked.start_s >= length_s:
        raise BadSettings(
            f"--from {asked.start_s:g}s lies behind the film's end ({length_s:.2f}s)",
            "times are those of the finished film",
        )
    first = int(Fraction(asked.start_s) * plan.timeline.rate)
    end = plan.timeline.frames
    if asked.end_s is not None:
        end = max(first + 1, ceil(Fraction(asked.end_s) * plan.timeline.rate))
    return tuple(part for part in parts if part.start_frame < end and part.end_frame > first)


def moved_to_start(parts: Sequence[Chunk]) -> tuple[Chunk, ...]:
    """Return chunks as if the first of them were the film's first."""
    start = parts[0].start_frame
    return tuple(replace(part, start_frame=part.start_frame - start) for part in parts)


def plan_of(plan: RenderPlan, parts: Sequence[Chunk]) -> RenderPlan:
    """Return the plan of a film that consists of some neighbouring chunks of another one.

    It says what is shown and heard, and for the report what was cut out in between; zoom and
    subtitles belong to the chunks, and are not in it.
    """
    clips: list[Clip] = []
    for clip in (clip for part in parts for clip in part.clips):
        if clips and clips[-1].source == clip.source and clips[-1].source_out == clip.source_in:
            clips[-1] = replace(clips[-1], source_out=clip.source_out)
        else:
            clips.append(clip)
    timeline = Timeline(plan.timeline.rate, tuple(clips))
    cuts = tuple(cut for cut in plan.cuts if _lies_between(cut, plan, clips))
    windows = tuple(
        replace(
            window,
            start_frame=max(0, window.start_frame) + part.start_frame,
            end_frame=min(part.frames, window.end_frame) + part.start_frame,
            asset_in=window.asset_in + max(0, -window.start_frame),
            fade_frames=0,
        )
        for part in moved_to_start(parts)
        for window in part.broll
    )
    broll = BrollLayer(windows) if windows else None
    return replace(plan, timeline=timeline, cuts=cuts, zoom=None, subtitles=None, broll=broll)


def _lies_between(cut: Cut, plan: RenderPlan, clips: Sequence[Clip]) -> bool:
    """Return whether something that was cut out lies between the clips of an excerpt."""
    grid = plan.sources[cut.source].grid(plan.timeline.rate)
    ends = [clip for clip in clips if clip.source == cut.source]
    return bool(ends) and (
        grid.frame_at(cut.start_s) >= min(clip.source_in for clip in ends)
        and grid.frame_at(cut.end_s) <= max(clip.source_out for clip in ends)
    )
