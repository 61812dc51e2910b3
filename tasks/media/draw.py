"""The base stage: exactly the frames of a chunk, conformed and zoomed, as raw planes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from tasks.layers.zoom import ZoomLayer, zoom_at
from tasks.media.conform import Conformer
from tasks.media.pictures import pictures
from tasks.media.warp import zoomed
from tasks.timeline.model import Canvas, Clip, Source


def drawn_planes(
    clips: Sequence[Clip],
    zoom: ZoomLayer | None,
    sources: Sequence[Source],
    canvas: Canvas,
    footage: Mapping[str, Path],
) -> Iterator[memoryview]:
    """Yield the planes Y, U, V of each frame of a chunk in turn, as contiguous buffers.

    Args:
        clips: the chunk's clips; its frame 0 is the first frame of the first clip.
        zoom: the zoom, in frames of the chunk.
        sources: what the clips' source numbers mean.
        canvas: what is drawn on.
        footage: where each source lies, by digest.
    """
    frame = 0
    # Neighbouring clips of one source are decoded in one pass where that is cheaper than seeking.
    for number, run in groupby(clips, key=lambda clip: clip.source):
        source = sources[number]
        assert source.video is not None
        conformer = Conformer(source.video, canvas)
        ranges = [(clip.source_in, clip.source_out) for clip in run]
        for picture in pictures(footage[source.digest], source, canvas.rate, ranges):
            planes = conformer.planes(picture)
            if zoom is not None:
                planes = zoomed(planes, zoom_at(zoom, frame))
            for plane in planes:
                yield np.ascontiguousarray(plane).data.cast("B")
            frame += 1
