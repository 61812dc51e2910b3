"""B-roll: other footage that fills the picture for a while; the talk is heard on below it.

A window is a run of timeline frames that shows a clip from one frame of the clip's own grid on. Its
first and last frames are mixed with the speaker's picture in steps of 1/256, so that the mixing is
integer arithmetic and comes out the same on every machine.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import attrgetter

from tasks.settings import BrollSettings, PlacedClip
from tasks.timeline.model import Source, Timeline
from tasks.timeline.time import round_half_up

FULL_WEIGHT = 256
"""Weight of b-roll that covers the speaker."""

MAX_ASPECT = 8
"""The longer side over the shorter, at most: a clip is scaled until its shorter side fills."""

MIN_LEFT_S = 0.5
"""A window that had to be shortened to less than this would only flash: it is left out."""


@dataclass(frozen=True, slots=True)
class BrollWindow:
    """Timeline frames ``[start, end)`` that show an asset instead of the speaker."""

    start_frame: int
    end_frame: int
    asset: int
    """Index into the plan's assets."""
    asset_in: int
    """The asset's frame that is shown first, on its own grid at the film's rate."""
    fade_frames: int = 0
    """So many frames at either end are mixed with the speaker's picture."""

    @property
    def frames(self) -> int:
        return self.end_frame - self.start_frame


@dataclass(frozen=True, slots=True)
class BrollLayer:
    """The b-roll of a whole film."""

    windows: tuple[BrollWindow, ...]
    """In order; none overlaps another."""


def weight_at(window: BrollWindow, frame: int) -> int:
    """Return how much of an asset a frame inside its window shows: 1 to `FULL_WEIGHT`.

    With a fade of f frames, frame k of the window (from 0, or counted from its last) has the weight
    ``256 · (k + 1) / (f + 1)``, rounded, a half up.
    """
    step = min(frame - window.start_frame, window.end_frame - 1 - frame) + 1
    steps = window.fade_frames + 1
    # Never 0: each frame of a window takes one of its asset's, however long the fade.
    return max(1, round_half_up(Fraction(FULL_WEIGHT * min(step, steps), steps)))


def window_at(windows: Sequence[BrollWindow], frame: int) -> BrollWindow | None:
    """Return the window that a frame lies in; none where the speaker is shown alone."""
    number = bisect_right(windows, frame, key=attrgetter("start_frame")) - 1
    return windows[number] if number >= 0 and frame < windows[number].end_frame else None


def within(window: BrollWindow, start: int, end: int) -> BrollWindow:
    """Return what the timeline frames ``[start, end)`` show of a window, counted from `start`.

    What lies outside and changes no frame inside is left out, so that equal pictures have equal
    windows. A fade that reaches in keeps its own steps, so a window may start before 0.
    """
    fade = window.fade_frames
    fades = start < window.start_frame + fade or end > window.end_frame - fade
    room = fade if fades else 0
    first = max(window.start_frame, start - room)
    return BrollWindow(
        start_frame=first - start,
        end_frame=min(window.end_frame, end + room) - start,
        asset=window.asset,
        asset_in=window.asset_in + first - window.start_frame,
        fade_frames=room,
    )


def fills_a_picture(asset: Source) -> bool:
    """Return whether an asset's shape can fill a picture without being enlarged beyond measure."""
    width, height = asset.displayed_size()
    return max(width / height, height / width) <= MAX_ASPECT


def asset_frames(asset: Source, rate: Fraction) -> int:
    """Return how many frames of an asset's grid have a picture, at a rate in frames a second."""
    if asset.video is None:
        return 0
    return max(1, asset.grid(rate).frame_at(asset.video.end_s))


def kept_frame(timeline: Timeline, sources: Sequence[Source], source: int, at_s: float) -> int:
    """Return the timeline frame of a moment in source time, else of the next that stays; or -1."""
    at = sources[source].grid(timeline.rate).frame_at(at_s)
    kept = [
        (max(clip.source_in, at), start - clip.source_in)
        for clip, start in zip(timeline.clips, timeline.clip_starts(), strict=False)
        if clip.source == source and clip.source_out > at
    ]
    frame, shift = min(kept, default=(-1, 0))
    return frame + shift


@dataclass(frozen=True, slots=True)
class PlacedBroll:
    """Where clips came to lie."""

    assets: tuple[Source, ...]
    """Those that are shown."""
    layer: BrollLayer | None
    """None where no clip is shown."""
    warnings: tuple[str, ...]


def place_broll(
    timeline: Timeline,
    sources: Sequence[Source],
    clips: Sequence[Source | None],
    settings: BrollSettings,
) -> PlacedBroll:
    """Return the b-roll of a film.

    A clip whose place was cut out moves to the next moment that stays. Where clips collide, the one
    that starts earlier wins, and the other starts where that one ends.

    Args:
        timeline: what stays.
        sources: the footage of the talk.
        clips: what each clip of the settings is; none where it cannot be used.
        settings: where the clips go.
    """
    warnings: list[str] = []
    placed: list[tuple[BrollWindow, Source, int]] = []
    for asked, asset in zip(settings.clips, clips, strict=True):
        if asset is None:
            continue
        window = _window(timeline, sources, asset, asked)
        if window is None:
            warnings.append(f"b-roll {_name(asked)}: nothing from that moment on stays in the film")
        else:
            insort(placed, (window, asset, _frames(asked, timeline.rate)), key=_start)
    shown: list[tuple[BrollWindow, Source]] = []
    for window, asset, asked_frames in placed:
        free = shown[-1][0].end_frame if shown else 0
        fitted, text = _fitted(window, asset, asked_frames, free, timeline)
        warnings += [text] if text else []
        if fitted is not None:
            shown.append((fitted, asset))
    return _numbered(shown, settings.fade, timeline.rate, warnings)


def _start(placed: tuple[BrollWindow, Source, int]) -> int:
    return placed[0].start_frame


def _name(asked: PlacedClip) -> str:
    return f"{asked.file.name} at {asked.at:g}s"


def _frames(asked: PlacedClip, rate: Fraction) -> int:
    return max(1, round_half_up(Fraction(asked.length) * rate))


def _window(
    timeline: Timeline, sources: Sequence[Source], asset: Source, asked: PlacedClip
) -> BrollWindow | None:
    """Return a clip's window as it is asked for, whatever else lies there."""
    start = kept_frame(timeline, sources, asked.source, asked.at)
    if start < 0:
        return None
    first = max(0, asset.grid(timeline.rate).frame_at(asked.start))
    return BrollWindow(start, start + _frames(asked, timeline.rate), 0, first)


def _fitted(
    window: BrollWindow, asset: Source, asked_frames: int, free: int, timeline: Timeline
) -> tuple[BrollWindow | None, str]:
    """Return what of a window there is room and footage for, and what to say of what is lost."""
    start = max(window.start_frame, free)
    left = asset_frames(asset, timeline.rate) - window.asset_in
    limits = {
        "another clip lies there": window.end_frame - start,
        "the film ends": timeline.frames - start,
        "the clip itself ends": left,
    }
    frames = min(limits.values())
    if frames == asked_frames:
        return window, ""
    reason = min(limits, key=lambda name: limits[name])
    rate = timeline.rate
    told = f"b-roll {asset.name} at {float(window.start_frame / rate):.2f}s of the film"
    if frames < min(asked_frames, MIN_LEFT_S * rate):
        return None, f"{told} is left out: {reason}"
    text = f"{told} lasts {float(frames / rate):.2f}s, not {float(asked_frames / rate):.2f}s"
    fitted = replace(window, start_frame=start, end_frame=start + frames)
    return fitted, f"{text}: {reason}"


def _numbered(
    shown: Sequence[tuple[BrollWindow, Source]],
    fade_s: float,
    rate: Fraction,
    warnings: Sequence[str],
) -> PlacedBroll:
    """Return windows with their fades and with the numbers of their assets, each listed once."""
    fade = round_half_up(Fraction(fade_s) * rate)
    assets = {asset.digest: asset for _, asset in shown}
    numbers = {digest: number for number, digest in enumerate(assets)}
    windows = tuple(
        replace(window, asset=numbers[asset.digest], fade_frames=min(fade, window.frames // 2))
        for window, asset in shown
    )
    layer = BrollLayer(windows) if windows else None
    return PlacedBroll(tuple(assets.values()), layer, tuple(warnings))
