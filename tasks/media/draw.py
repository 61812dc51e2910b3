"""The base stage: exactly the frames of a chunk, conformed, zoomed and under b-roll, as planes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.layers.broll import FULL_WEIGHT, BrollWindow, weight_at, window_at
from tasks.layers.zoom import ZoomLayer, zoom_at
from tasks.media.conform import Conformer, Planes
from tasks.media.pictures import FrameRange, pictures
from tasks.media.warp import zoomed
from tasks.timeline.model import Canvas, Clip, Source


@dataclass(frozen=True, slots=True)
class Shot:
    """What the frames of a chunk show; its frame 0 is the first frame of the first clip."""

    clips: tuple[Clip, ...]
    sources: tuple[Source, ...]
    """What the clips' numbers mean."""
    zoom: ZoomLayer | None = None
    """In frames of the chunk, as all else."""
    broll: tuple[BrollWindow, ...] = ()
    assets: tuple[Source, ...] = ()
    """What the windows' numbers mean."""

    @property
    def frames(self) -> int:
        return sum(clip.frames for clip in self.clips)

    def weight(self, frame: int) -> int:
        """Return how much of a frame is b-roll: 0 to `FULL_WEIGHT`."""
        window = window_at(self.broll, frame)
        return weight_at(window, frame) if window else 0


def drawn_planes(shot: Shot, canvas: Canvas, footage: Mapping[str, Path]) -> Iterator[memoryview]:
    """Yield the planes Y, U, V of each frame of a chunk in turn, as contiguous buffers.

    Args:
        shot: what is shown.
        canvas: what is drawn on.
        footage: where each source and asset lies, by digest.
    """
    talk, broll = _talk(shot, canvas, footage), _broll(shot, canvas, footage)
    for frame in range(shot.frames):
        weight = shot.weight(frame)
        if weight == 0:
            planes = next(talk)
        elif weight == FULL_WEIGHT:
            planes = next(broll)
        else:
            planes = mixed(next(talk), next(broll), weight)
        for plane in planes:
            yield np.ascontiguousarray(plane).data.cast("B")


def mixed(below: Planes, above: Planes, weight: int) -> Planes:
    """Return ``(below · (256 - weight) + above · weight + 128) // 256``, sample by sample."""
    y, u, v = (_mixed(a, b, weight) for a, b in zip(below, above, strict=True))
    return y, u, v


def _mixed(below: NDArray[Any], above: NDArray[Any], weight: int) -> NDArray[Any]:
    # 255 · 256 + 128 fits into 16 bits; with ten bits a sample it does not.
    wide: Any = np.uint16 if below.dtype == np.uint8 else np.uint32
    total = below.astype(wide) * wide(FULL_WEIGHT - weight)
    total += above.astype(wide) * wide(weight)
    total += wide(FULL_WEIGHT // 2)
    return (total // wide(FULL_WEIGHT)).astype(below.dtype)


def _talk(shot: Shot, canvas: Canvas, footage: Mapping[str, Path]) -> Iterator[Planes]:
    """Yield the speaker's picture, zoomed, for each frame in which it is seen."""
    # Neighbouring clips of one source are decoded in one pass where that is cheaper than seeking.
    for number, run in groupby(_seen(shot), key=lambda seen: shot.clips[seen[0]].source):
        source = shot.sources[number]
        assert source.video is not None
        conformer, stretches = Conformer(source.video, canvas), list(run)
        ranges = [ranged for _, _, ranged in stretches]
        frames = (at + offset for _, at, (first, end) in stretches for offset in range(end - first))
        path = footage[source.digest]
        for frame, picture in zip(frames, pictures(path, source, canvas.rate, ranges), strict=True):
            planes = conformer.planes(picture)
            yield zoomed(planes, zoom_at(shot.zoom, frame)) if shot.zoom else planes


def _seen(shot: Shot) -> Iterator[tuple[int, int, FrameRange]]:
    """Yield what b-roll does not cover: number of the clip, first frame, frames of the source."""
    start = 0
    for number, clip in enumerate(shot.clips):
        frames = range(start, start + clip.frames)
        for covered, run in groupby(frames, key=lambda at: shot.weight(at) == FULL_WEIGHT):
            if not covered:
                at, *rest = run
                first = clip.source_in + at - start
                yield number, at, (first, first + 1 + len(rest))
        start += clip.frames


def _broll(shot: Shot, canvas: Canvas, footage: Mapping[str, Path]) -> Iterator[Planes]:
    """Yield the asset's picture for each frame of each window; a file is opened when it is due."""
    for number, run in groupby(shot.broll, key=lambda window: window.asset):
        asset = shot.assets[number]
        assert asset.video is not None
        conformer = Conformer(asset.video, canvas, fill=True)
        ranges = [_shown(window, shot.frames) for window in run]
        for picture in pictures(footage[asset.digest], asset, canvas.rate, ranges):
            yield conformer.planes(picture)


def _shown(window: BrollWindow, frames: int) -> FrameRange:
    """Return the asset's frames that a window shows within a chunk."""
    shift = window.asset_in - window.start_frame
    return max(0, window.start_frame) + shift, min(frames, window.end_frame) + shift
