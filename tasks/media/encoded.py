"""An encoded chunk against what was drawn: its packets, and its first and its last picture."""

from __future__ import annotations

from pathlib import Path

import av
import av.error
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from tasks.errors import VerificationFailed

MAX_DIFFERENCE = 20.0
"""Mean difference in luma, of 255, between a small picture before and behind the encoder.

Measured on 26 clips at x264's rate factors 30, 40 and 51, preset ultrafast: 1.8, 4.5 and 9.1 at
most (13 on bars of black and white at 51); pictures of two clips differ by 61 in the median."""

HINT = "give the same command again; if it stays so, the footage may be damaged there"


def check_packets(path: Path, frames: int, ticks: int) -> int:
    """See that a chunk holds each frame once, at regular times, from a key frame on.

    Args:
        path: the chunk.
        frames: how many it must hold.
        ticks: length of a frame in ticks of its clock.

    Returns:
        When the last one is shown, in ticks.

    Raises:
        VerificationFailed: it does not.
    """
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    if len(packets) != frames:
        raise VerificationFailed(
            f"a chunk came out with {len(packets)} frames where {frames} were planned", HINT
        )
    times = sorted(packet.pts for packet in packets if packet.pts is not None)
    is_regular = times == [times[0] + ticks * number for number in range(frames)]
    if not is_regular or not packets[0].is_keyframe or packets[0].pts != times[0]:
        raise VerificationFailed("a chunk came out with irregular times", HINT)
    return times[-1]


def check_ends(path: Path, drawn: bytes, size_px: tuple[int, int], last_pts: int) -> None:
    """See that a chunk's first and last picture decode to what was drawn.

    Args:
        path: the chunk.
        drawn: luma of both, scaled down, one byte a sample, as they went to the encoder; of a
            chunk of one frame that one alone.
        size_px: width and height of the small pictures.
        last_pts: when the last picture is shown, in ticks.

    Raises:
        VerificationFailed: they do not.
    """
    expected = np.frombuffer(drawn, np.uint8).reshape(-1, size_px[1], size_px[0])
    try:
        first, last = _first(path, size_px), _last(path, size_px, last_pts)
    except (av.error.FFmpegError, StopIteration, ValueError) as error:
        raise VerificationFailed(f"a chunk does not decode: {error}", HINT) from error
    for which, picture, wanted in (
        ("first", first, expected[0]),
        ("last", last, expected[-1]),
    ):
        difference = float(np.abs(picture.astype(np.int16) - wanted).mean())
        if difference > MAX_DIFFERENCE:
            raise VerificationFailed(
                f"the {which} picture of a chunk does not decode to what was drawn "
                f"(it differs by {difference:.0f} of 255)",
                "give the same command again; if it stays so, choose another render.encoder",
            )


def _first(path: Path, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return _small(next(iter(container.decode(video=0))), size_px)


def _last(path: Path, size_px: tuple[int, int], pts: int) -> NDArray[np.uint8]:
    """Return the last picture, decoded from the key frame before it.

    Pictures that no other refers to are passed over at first, which halves the work: the last one
    of a chunk is hardly ever among them.
    """
    for passed_over in ("NONREF", "DEFAULT"):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.skip_frame = passed_over
            container.seek(pts, stream=stream)
            for picture in container.decode(stream):
                if picture.pts == pts:
                    return _small(picture, size_px)
    raise ValueError("its last picture is not there")


def _small(picture: av.VideoFrame, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture's luma scaled down, shape (height, width)."""
    width, height = size_px
    small = picture.reformat(width, height, "yuv420p", interpolation=Interpolation.AREA)
    rows = np.frombuffer(memoryview(small.planes[0]), np.uint8)
    return rows.reshape(height, -1)[:, :width]
