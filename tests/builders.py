"""Footage that tests make: pictures that carry their number, flashes with beeps, and plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tasks.media import ffmpeg
from tasks.render.plan import RenderPlan, SoundPlan, canvas_for, encoding_for
from tasks.settings import RenderSettings
from tasks.timeline.model import Clip, Source, Timeline

BITS = 16
"""Width of the number drawn into each picture."""

Size = tuple[int, int]


def barcode(number: int, size: Size = (256, 144)) -> NDArray[np.uint8]:
    """Return a grey picture, shape (height, width), that carries a number as bars along its middle.

    The bars stand away from the edges, inverted copies below them make a wrong reading show.
    """
    width, height = size
    picture = np.full((height, width), 100, np.uint8)
    bar = width // (BITS + 2)
    for bit in range(BITS):
        value = 235 if number >> bit & 1 else 16
        left = bar * (bit + 1)
        picture[height // 4 : height // 2, left : left + bar] = value
        picture[height // 2 : height * 3 // 4, left : left + bar] = 251 - value
    return picture


def read_barcode(picture: NDArray[np.uint8]) -> int:
    """Return the number that a picture carries, or -1 where its two rows disagree."""
    height, width = picture.shape
    bar = width // (BITS + 2)
    number = 0
    for bit in range(BITS):
        middle = slice(bar * (bit + 1) + bar // 3, bar * (bit + 2) - bar // 3)
        upper = float(picture[height * 5 // 16 : height * 7 // 16, middle].mean())
        lower = float(picture[height * 9 // 16 : height * 11 // 16, middle].mean())
        if (upper > 125) == (lower > 125):
            return -1
        number |= int(upper > 125) << bit
    return number


def read_barcodes(path: Path, turn: Callable[[Any], Any] = lambda plane: plane) -> list[int]:
    """Return the number that each picture of a file carries, in order of presentation."""
    with av.open(str(path)) as container:
        return [
            read_barcode(turn(frame.to_ndarray(format="gray")))
            for frame in container.decode(video=0)
        ]


def encode(
    target: Path,
    pictures: Iterable[NDArray[np.uint8]],
    rate: Fraction,
    *options: str,
    size: Size = (256, 144),
    sound: Path | None = None,
) -> Path:
    """Encode grey pictures with FFmpeg; `options` follow the encoder's own."""
    inputs = ["-i", str(sound)] if sound else []
    arguments = [
        *("-f", "rawvideo", "-pixel_format", "gray", "-video_size", f"{size[0]}x{size[1]}"),
        *("-framerate", str(rate), "-i", "pipe:0", *inputs),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "16", "-pix_fmt", "yuv420p"),
        *("-g", "48", "-bf", "2", "-c:a", "aac", "-b:a", "128k"),
        *options,
        str(target),
    ]
    ffmpeg.run(arguments, folder=target.parent, feed=pictures)
    return target


def barcode_video(target: Path, rate: Fraction, frames: int, *options: str) -> Path:
    """Encode a video whose every picture carries its number, from 0."""
    return encode(target, (barcode(number) for number in range(frames)), rate, *options)


def remux(source: Path, target: Path, *options: str, before: Sequence[str] = ()) -> Path:
    """Copy a file's packets into another container; `before` stands ahead of the input."""
    ffmpeg.run(
        [*before, "-i", str(source), "-c", "copy", *options, str(target)], folder=target.parent
    )
    return target


def render_plan(
    sources: Sequence[Source],
    clips: Sequence[Clip],
    *,
    rate: Fraction | None = None,
    sound: SoundPlan | None = None,
    **changes: Any,
) -> RenderPlan:
    """Return a plan of clips alone, encoded fast."""
    asked = str(rate) if rate else None
    settings = RenderSettings(preset="ultrafast", crf=16, frame_rate=asked)
    canvas = canvas_for(sources, settings)
    fields: dict[str, Any] = {
        "sources": tuple(sources),
        "canvas": canvas,
        "timeline": Timeline(canvas.rate, tuple(clips)),
        "cuts": (),
        "zoom": None,
        "subtitles": None,
        "sound": sound,
        "encoding": encoding_for(settings, canvas.rate),
        "min_chunk_frames": 60,
        "max_chunk_frames": 240,
    }
    return RenderPlan(**{**fields, **changes})
