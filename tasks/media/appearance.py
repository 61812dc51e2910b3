"""How a decoded picture is meant to look: its colours, and which way up it goes."""

from __future__ import annotations

import math
import struct

import av
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType

from tasks.timeline.model import ColorTags

RANGES = {1: "tv", 2: "pc"}
PRIMARIES = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
"""Code points of ITU-T H.273, by the names that FFmpeg's encoders take."""


def orientation(picture: av.VideoFrame) -> tuple[int, bool]:
    """Return the clockwise turn in degrees, and whether the picture is mirrored before it.

    The display matrix (ISO/IEC 14496-12, 8.2.2.1) holds nine 32-bit numbers in rows a b u, c d v,
    x y w; a point goes to x' = a·x + c·y, y' = b·x + d·y.
    """
    for data in picture.side_data:
        if isinstance(data, SideData) and data.type == SideDataType.DISPLAYMATRIX:
            a, b, _, c, d, *_rest = struct.unpack("<9i", bytes(memoryview(data))[:36])
            mirrored = a * d - b * c < 0
            if mirrored:
                a, b = -a, -b
            turn = round(math.degrees(math.atan2(b, a)) / 90) * 90
            return turn % 360, mirrored
    return 0, False


def color_tags(picture: av.VideoFrame) -> ColorTags:
    """Return what a picture says of its colours; names that no encoder takes are unknown."""
    full = picture.format.name.startswith("yuvj") or picture.format.is_rgb
    return ColorTags(
        range="pc" if full else RANGES.get(int(picture.color_range), "unknown"),
        primaries=PRIMARIES.get(int(picture.color_primaries), "unknown"),
        transfer=TRANSFERS.get(int(picture.color_trc), "unknown"),
        matrix=MATRICES.get(int(picture.colorspace), "unknown"),
    )
