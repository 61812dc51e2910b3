"""Whether seeking in a file gives the pictures that decoding in sequence gives.

Some files decode to garbage after a seek that play well from the start (open GOPs, wrong key frame
flags, containers without an index). They are decoded in sequence instead.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer

from tasks.media.containers import opened

MAX_SEQUENCE = 300
"""Pictures decoded in sequence at most to compare with those behind a seek."""

COMPARED = 3
"""Pictures compared behind the key frame."""


def seeks_well(path: Path, index: int, key_pts: list[int]) -> bool:
    """Return whether a seek to the second and to the last key frame lands where it should.

    Args:
        path: the file.
        index: its picture stream.
        key_pts: timestamps of its key frames, in ticks, rising.
    """
    if len(key_pts) < 2:
        return True
    try:
        with opened(path) as container:
            expected = _pictures_from(container, index, key_pts[1])
        with opened(path) as container:
            container.seek(key_pts[1], stream=container.streams[index])
            found = _pictures_from(container, index, key_pts[1])
        with opened(path) as container:
            container.seek(key_pts[-1], stream=container.streams[index])
            landed = next(iter(container.decode(container.streams[index]))).pts
    except (av.error.FFmpegError, StopIteration, ValueError):
        return False
    reached = landed is not None and landed <= key_pts[-1]
    return reached and (not expected or expected == found)


def _pictures_from(container: InputContainer, index: int, pts: int) -> list[tuple[int, int]]:
    """Return (pts, checksum) of the first pictures at or behind a timestamp; none if it is far."""
    out: list[tuple[int, int]] = []
    stream = next(s for s in container.streams.video if s.index == index)
    stream.thread_type = "AUTO"
    for number, frame in enumerate(container.decode(stream)):
        if frame.pts is not None and frame.pts >= pts:
            out.append((frame.pts, _checksum(frame)))
        if len(out) == COMPARED or number > MAX_SEQUENCE:
            break
    return out


def _checksum(frame: av.VideoFrame) -> int:
    """Return a checksum of what is seen; a row's padding holds whatever was in memory."""
    checksum = 0
    sample_bytes = 2 if frame.format.components[0].bits > 8 else 1
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        seen = np.ascontiguousarray(rows[:, : plane.width * sample_bytes])
        checksum = zlib.crc32(seen.data, checksum)
    return checksum
