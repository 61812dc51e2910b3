"""Whether an encoder really works on this machine: it encodes a short clip, which is read back.

That a build of FFmpeg lists an encoder says nothing of the chip and the driver that it needs.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import av
import av.error
import numpy as np

from tasks.errors import FinecutError, ToolFailed
from tasks.media import ffmpeg

WIDTH_PX, HEIGHT_PX = 320, 192
"""Size of the clip: above the least that hardware takes (NVENC: about 145 x 49)."""

FRAMES = 12

STALL_S = 20.0
"""A driver that hangs is given up after this."""

CLIP = "proof.mp4"


@cache
def proof(arguments: tuple[str, ...]) -> str:
    """Return why an encoder does not work on this machine; empty where it does.

    Args:
        arguments: FFmpeg's, as a chunk gets them: `FRAMES` raw yuv420p pictures of `WIDTH_PX` by
            `HEIGHT_PX` come over standard input, and the film goes to `CLIP`.
    """
    with tempfile.TemporaryDirectory(prefix="finecut-proof-") as folder:
        try:
            ffmpeg.run(arguments, folder=Path(folder), feed=_planes(), stall_s=STALL_S)
        except ToolFailed as error:
            return reason(error)
        return _read_back(Path(folder) / CLIP)


def reason(error: FinecutError) -> str:
    """Return in one line what FFmpeg said first when it failed: the rest follows from that."""
    lines = [_bare(line) for line in error.message.splitlines()]
    said = [line for line in lines[1:] if line and "[info]" not in line and "[warn]" not in line]
    return said[0] if said else lines[0]


def _bare(line: str) -> str:
    """Return a line of FFmpeg's without the component that said it, whose address is random."""
    return re.sub(r"^(\[[^\]]* @ [^\]]*\] *)+", "", line).strip()


def _planes() -> Iterator[bytes]:
    """Yield the planes of moving pictures: hardware may treat still ones as a special case."""
    slope = np.add.outer(np.arange(HEIGHT_PX), np.arange(WIDTH_PX))
    grey = np.full((HEIGHT_PX // 2, WIDTH_PX // 2), 128, np.uint8).tobytes()
    for number in range(FRAMES):
        yield ((slope + 5 * number) % 200 + 20).astype(np.uint8).tobytes()
        yield grey
        yield grey


def _read_back(path: Path) -> str:
    """Return what is wrong with the clip; empty where each picture is there and decodes."""
    try:
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        with av.open(str(path)) as container:
            pictures = sum(not picture.is_corrupt for picture in container.decode(video=0))
    except (av.error.FFmpegError, OSError) as error:
        return f"what it encodes cannot be read: {error}"
    if len(packets) != FRAMES or pictures != FRAMES:
        return f"of {FRAMES} pictures it wrote {len(packets)}, and {pictures} can be decoded"
    if not packets[0].is_keyframe or len({packet.pts for packet in packets}) != FRAMES:
        return "it starts without a key frame, or gives two pictures one time"
    return ""
