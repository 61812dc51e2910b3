"""The zoom itself: each plane resampled once, at sub-pixel positions, linearly.

OpenCV does it where it can be loaded. A slim Linux lacks the libraries that OpenCV's build links
to; there Pillow does the same with about twice the work. Which one drew is part of a chunk's key.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.layers.zoom import ZoomState
from tasks.media.conform import Planes

CHROMA_OFFSET = 0.5
"""A chroma sample of 4:2:0 lies on the left luma sample of its pair (ITU-T H.264, figure 6-1): half
a luma sample left of the middle of the pair."""


@cache
def renderer() -> str:
    """Return what draws the zoom, with its version: ``opencv 5.0.0`` or ``pillow 13.0.0``."""
    try:
        import cv2
    except ImportError:
        import PIL

        return f"pillow {PIL.__version__}"
    return f"opencv {cv2.__version__}"


def zoomed(planes: Planes, state: ZoomState) -> Planes:
    """Return the planes enlarged by ``state.factor`` around the focus; factor 1 copies nothing."""
    if state.factor <= 1.0:
        return planes
    luma, u, v = planes
    height, width = luma.shape
    focus_x, focus_y = state.x * width, state.y * height
    chroma = ((focus_x - CHROMA_OFFSET) / 2, focus_y / 2)
    return (
        _enlarged(luma, state.factor, (focus_x, focus_y), 0.5),
        _enlarged(u, state.factor, chroma, 0.0),
        _enlarged(v, state.factor, chroma, 0.0),
    )


def _enlarged(
    plane: NDArray[Any], factor: float, focus: tuple[float, float], centre_x: float
) -> NDArray[Any]:
    """Return a plane enlarged around a focus.

    Sample i covers the picture around ``i + centre_x``; with the focus p it is taken from
    ``p + (i + centre_x - p) / factor``.
    """
    scale = 1 / factor
    shift_x = (focus[0] - centre_x) * (1 - scale)
    shift_y = (focus[1] - 0.5) * (1 - scale)
    if renderer().startswith("opencv"):
        import cv2

        height, width = plane.shape
        return cv2.warpAffine(
            np.ascontiguousarray(plane),
            np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y]]),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return _enlarged_by_pillow(plane, scale, shift_x, shift_y)


def _enlarged_by_pillow(
    plane: NDArray[Any], scale: float, shift_x: float, shift_y: float
) -> NDArray[Any]:
    from PIL import Image

    height, width = plane.shape
    # Pillow's box runs along edges, the shift along sample centres.
    left = max(0.0, shift_x + 0.5 * (1 - scale))
    top = max(0.0, shift_y + 0.5 * (1 - scale))
    right = min(float(width), left + width * scale)
    bottom = min(float(height), top + height * scale)
    kind = "I;16" if plane.dtype == np.uint16 else "L"
    image = Image.frombuffer(kind, (width, height), np.ascontiguousarray(plane), "raw", kind, 0, 1)
    box = (left, top, right, bottom)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
