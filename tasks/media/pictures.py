"""Exactly the pictures that a range of a source's frame grid shows, decoded in one pass."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream as AvVideoStream

from tasks.errors import BadInput
from tasks.media.containers import opened
from tasks.timeline.model import Source, VideoStream
from tasks.timeline.time import FrameGrid

PREROLL_FRAMES = 3
"""Decoding starts at least this many grid frames early, so that a deinterlacer has neighbours."""

DECODER_THREADS = min(4, os.cpu_count() or 1)
"""Each thread holds a picture; four keep up with any encoder preset worth using."""

FrameRange = tuple[int, int]
"""Frames ``[first, end)`` of a source's grid."""

Placed = tuple[int, av.VideoFrame]
"""A picture and its place: the nearest frame of the source's grid."""


def pictures(
    path: Path, source: Source, rate: Fraction, ranges: Sequence[FrameRange]
) -> Iterator[av.VideoFrame]:
    """Yield one decoded picture for each frame of some ranges of a source's grid, in order.

    A frame shows the last picture whose place is not behind it. So constant-rate footage gives
    each picture once, and a hole in variable-rate footage holds the picture before it. The first
    and the last picture are held where a range goes beyond them.

    Raises:
        BadInput: nothing in a range can be decoded.
    """
    if source.video is None:
        raise BadInput(f"{path} holds no picture", "finecut edits video")
    for group in _passes(ranges, source.video):
        yield from _one_pass(path, source, source.video, source.grid(rate), group)


def _passes(ranges: Sequence[FrameRange], video: VideoStream) -> list[list[FrameRange]]:
    """Group ranges that are decoded in one go: the gaps cost less than a seek into a GOP would."""
    groups: list[list[FrameRange]] = []
    for first, end in ranges:
        gap = first - groups[-1][-1][1] if groups else -1
        if gap >= 0 and (gap <= video.key_distance_frames or not video.seeks):
            groups[-1].append((first, end))
        else:
            groups.append([(first, end)])
    return groups


def _one_pass(
    path: Path, source: Source, video: VideoStream, grid: FrameGrid, ranges: Sequence[FrameRange]
) -> Iterator[av.VideoFrame]:
    frames = chain.from_iterable(range(first, end) for first, end in ranges)
    wanted = next(frames)
    current: av.VideoFrame | None = None
    for place, picture in _from_before(path, source, video, grid, wanted):
        # Footage that starts late has no picture yet: its first one stands in.
        shown = current if current is not None else picture
        while wanted < place:
            yield shown
            following = next(frames, None)
            if following is None:
                return
            wanted = following
        current = picture
    if current is None:
        raise BadInput(f"{path}: no picture can be decoded there", "the file is damaged")
    yield current
    for _ in frames:
        yield current


def _from_before(
    path: Path, source: Source, video: VideoStream, grid: FrameGrid, first: int
) -> Iterator[Placed]:
    """Yield pictures in order, from one at or before frame `first` where there is such a one.

    A seek may land behind its target; then it is tried again from further ahead, and at last the
    file is decoded from its start.
    """
    if video.seeks:
        for back_frames in (PREROLL_FRAMES, 32 * PREROLL_FRAMES):
            target_s = grid.time_of(first - back_frames)
            if target_s <= video.start_s:
                break
            sequence = _decoded(path, source, video, grid, target_s)
            landed = next(sequence, None)
            if landed is not None and landed[0] <= first:
                yield from chain([landed], sequence)
                return
            sequence.close()
    yield from _decoded(path, source, video, grid, None)


def _decoded(
    path: Path, source: Source, video: VideoStream, grid: FrameGrid, seek_s: Fraction | None
) -> Generator[Placed, None, None]:
    """Yield pictures with their places, from the key frame before `seek_s` or from the start."""
    with opened(path) as container:
        stream = next((s for s in container.streams.video if s.index == video.index), None)
        if stream is None:
            raise BadInput(f"{path} holds no picture stream {video.index}", "make the plan again")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = DECODER_THREADS
        if seek_s is not None:
            assert stream.time_base is not None
            container.seek(int((seek_s + source.zero_s) / stream.time_base), stream=stream)
        raw = _whole_pictures(container, stream)
        behind = -(2**62)
        for picture in _deinterlaced(raw, stream) if video.is_interlaced else raw:
            if picture.pts is None or picture.time_base is None:
                continue
            place = grid.frame_at(picture.pts * picture.time_base - source.zero_s)
            behind = max(behind, place)
            yield behind, picture


def _whole_pictures(container: InputContainer, stream: AvVideoStream) -> Iterator[av.VideoFrame]:
    """Yield what decodes; a damaged packet is passed over, a damaged file ends where it ends."""
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except (av.error.FFmpegError, ValueError):
                continue
    except av.error.FFmpegError:
        return


def _deinterlaced(raw: Iterator[av.VideoFrame], stream: AvVideoStream) -> Iterator[av.VideoFrame]:
    """Yield one progressive picture for each interlaced one (bwdif)."""
    graph = Graph()
    source = graph.add_buffer(template=stream, time_base=stream.time_base)
    filtered = graph.add("bwdif", "mode=send_frame")
    sink = graph.add("buffersink")
    source.link_to(filtered)
    filtered.link_to(sink)
    graph.configure()
    for picture in chain(raw, [None]):
        graph.push(picture)
        while True:
            try:
                pulled = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            if isinstance(pulled, av.VideoFrame):
                yield pulled
