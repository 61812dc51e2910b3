"""Any decoded picture onto the canvas: format, range, size, mirror, turn, bars. Then the zoom.

8-bit 4:2:0 footage of the canvas's own size passes untouched; everything else goes once through
libswscale. Planes are Y, U, V as numpy arrays, shape (height, width), uint8, or uint16 for HDR.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from tasks.timeline.model import Canvas, VideoStream
from tasks.timeline.time import round_half_up

Planes = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

_MATRICES = {
    "bt709": Colorspace.ITU709,
    "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "fcc": Colorspace.FCC,
    "bt2020nc": Colorspace.BT2020,
}

_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""Bit-exact and accurately rounded, so that the same picture comes out everywhere."""

_BLACK_LUMA, _BLACK_CHROMA = 16, 128
"""Black of limited range in 8 bits (ITU-R BT.709, 3.4)."""


class Conformer:
    """Brings the pictures of one source onto the canvas.

    They fit into it, with bars where the shapes differ; or, with `fill`, they cover it, and what
    hangs over on two sides is cut off.
    """

    def __init__(self, video: VideoStream, canvas: Canvas, *, fill: bool = False) -> None:
        self._video = video
        self._canvas = canvas
        self._size = size_covering if fill else size_within
        self._reformatter = VideoReformatter()
        self._is_full_range = video.color.range == "pc"
        self._is_deep = video.color.is_hdr

    def planes(self, picture: av.VideoFrame) -> Planes:
        """Return a picture's planes as they lie on the canvas, before the zoom."""
        planes = _planes_of(self._reformatted(picture), is_deep=self._is_deep)
        video = self._video
        if video.is_mirrored:
            planes = _each(planes, lambda plane: plane[:, ::-1])
        if video.rotation_deg:
            quarter_turns = video.rotation_deg // 90
            planes = _each(planes, lambda plane: np.rot90(plane, -quarter_turns))
        return self._on_canvas(planes)

    def _reformatted(self, picture: av.VideoFrame) -> av.VideoFrame:
        width, height = self._size_for(picture)
        wanted = raw_format(self._video)
        is_same_size = (picture.width - width) in (0, 1) and (picture.height - height) in (0, 1)
        is_native = picture.format.name == wanted and not self._is_full_range
        matrix = _MATRICES.get(self._video.color.matrix)
        # HDR keeps its own matrix here: the filter graph converts it with the tone mapping.
        target = matrix if self._is_deep else _MATRICES.get(self._canvas.color.matrix, matrix)
        if is_same_size and is_native and matrix == target:
            return picture
        return self._reformatter.reformat(
            picture,
            width=picture.width if is_same_size else width,
            height=picture.height if is_same_size else height,
            format=wanted,
            src_colorspace=matrix,
            dst_colorspace=target,
            src_color_range=ColorRange.JPEG if self._is_full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
        )

    def _size_for(self, picture: av.VideoFrame) -> tuple[int, int]:
        """Return the even size, before the turn, at which a picture goes onto the canvas."""
        video, canvas = self._video, self._canvas
        turned = video.rotation_deg in (90, 270)
        room = (canvas.width_px, canvas.height_px)
        room = room[::-1] if turned else room
        return self._size(room, (picture.width * video.sample_aspect, Fraction(picture.height)))

    def _on_canvas(self, planes: Planes) -> Planes:
        width, height = self._canvas.width_px, self._canvas.height_px
        if planes[0].shape == (height, width):
            return planes
        planes = _middle(planes, width, height)
        if planes[0].shape == (height, width):
            return planes
        left, top = (width - planes[0].shape[1]) // 4, (height - planes[0].shape[0]) // 4
        depth = 2 if self._is_deep else 0
        y, u, v = planes
        chroma = (height // 2, width // 2)
        return (
            _placed(y, (height, width), (top * 2, left * 2), _BLACK_LUMA << depth),
            _placed(u, chroma, (top, left), _BLACK_CHROMA << depth),
            _placed(v, chroma, (top, left), _BLACK_CHROMA << depth),
        )


def raw_format(video: VideoStream) -> str:
    """Return the pixel format in which a stream's pictures enter the filter graph."""
    return "yuv420p10le" if video.color.is_hdr else "yuv420p"


def size_within(room: tuple[int, int], size: tuple[Fraction, Fraction]) -> tuple[int, int]:
    """Return the largest even size of the same shape as `size` (in square pixels) within `room`."""
    scale = min(room[0] / size[0], room[1] / size[1])
    fitted = [max(2, round_half_up(side * scale / 2) * 2) for side in size]
    return min(fitted[0], room[0]), min(fitted[1], room[1])


def size_covering(room: tuple[int, int], size: tuple[Fraction, Fraction]) -> tuple[int, int]:
    """Return the least even size of the same shape as `size` (in square pixels) over `room`."""
    scale = max(room[0] / size[0], room[1] / size[1])
    fitted = [round_half_up(side * scale / 2) * 2 for side in size]
    return max(fitted[0], room[0]), max(fitted[1], room[1])


def _planes_of(picture: av.VideoFrame, *, is_deep: bool) -> Planes:
    """Return views of a 4:2:0 picture's planes, without the padding of its rows."""
    out = []
    for plane in picture.planes:
        rows = np.frombuffer(memoryview(plane), np.uint16 if is_deep else np.uint8)
        out.append(rows.reshape(plane.height, -1)[:, : plane.width])
    return out[0], out[1], out[2]


def _each(planes: Planes, change: Any) -> Planes:
    y, u, v = (change(plane) for plane in planes)
    return y, u, v


def _middle(planes: Planes, width: int, height: int) -> Planes:
    """Return the middle of planes that are too large, from an even offset: chroma stays in step."""
    rows, columns = planes[0].shape
    top, left = max(0, rows - height) // 4, max(0, columns - width) // 4

    def cut(plane: NDArray[Any], scale: int) -> NDArray[Any]:
        across = slice(left * scale, left * scale + width * scale // 2)
        return plane[top * scale : top * scale + height * scale // 2, across]

    return cut(planes[0], 2), cut(planes[1], 1), cut(planes[2], 1)


def _placed(
    plane: NDArray[Any], shape: tuple[int, int], corner: tuple[int, int], value: int
) -> NDArray[Any]:
    out = np.full(shape, value, plane.dtype)
    top, left = corner
    out[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
    return out
