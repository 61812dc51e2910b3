"""Make the README's picture from the sample and its edit: what went out, how the zoom breathes.

    python data/samples/make_picture.py data/samples/talk.mp4 data/output/talk.finecut.mp4

reads the plan beside the edited film and writes data/samples/picture.jpg.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tasks.layers.zoom import zoom_at
from tasks.media.fonts import FONT_FILE
from tasks.render.plan import RenderPlan
from tasks.timeline.document import from_document

WIDTH, MARGIN, FRAME_WIDTH = 1280, 24, 400
INK, DIM, RED, YELLOW = "#F4F4F5", "#A1A1AA", "#EF4444", "#FFD60A"
SHOWN_FRAMES = (10, 90, 700)


def peaks(path: Path, columns: int) -> NDArray[np.float32]:
    """Return the loudest sample of each of `columns` equal parts of a film's sound, 0 to 1."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        blocks = [
            out.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for out in resampler.resample(frame)
        ]
    parts = np.array_split(np.abs(np.concatenate(blocks)), columns)
    return np.array([part.max() for part in parts], np.float32)


def wave(draw: ImageDraw.ImageDraw, path: Path, top: int, cuts: list[tuple[float, float]]) -> None:
    """Draw a film's sound as a waveform; `cuts` are parts of its length that went out."""
    columns = WIDTH - 2 * MARGIN
    for column, peak in enumerate(peaks(path, columns)):
        gone = any(start <= column / columns < end for start, end in cuts)
        half, x = max(1, int(peak * 44)), MARGIN + column
        draw.line((x, top + 44 - half, x, top + 44 + half), RED if gone else INK)


def main(source: Path, film: Path) -> None:
    """Draw the picture."""
    plan = from_document(RenderPlan, json.loads((film.with_suffix("") / "plan.json").read_text()))
    picture = Image.new("RGB", (WIDTH, 610), "#18181B")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(FONT_FILE), 20)
    source_s = float(plan.sources[0].duration_s)
    film_s = plan.timeline.frames / float(plan.timeline.rate)
    draw.text((MARGIN, 18), f"raw footage, {source_s:.0f} s: silences go", DIM, font)
    wave(draw, source, 50, [(c.start_s / source_s, c.end_s / source_s) for c in plan.cuts])
    draw.text((MARGIN, 158), f"finished film, {film_s:.0f} s: the zoom breathes", DIM, font)
    wave(draw, film, 190, [])
    if plan.zoom is not None:
        columns = WIDTH - 2 * MARGIN
        line = [
            (
                MARGIN + column,
                290
                - 500 * (zoom_at(plan.zoom, column * plan.timeline.frames // columns).factor - 1),
            )
            for column in range(columns)
        ]
        draw.line(line, YELLOW, 3)
    with av.open(str(film)) as container:
        shown = [f for n, f in enumerate(container.decode(video=0)) if n in SHOWN_FRAMES]
    for number, frame in enumerate(shown):
        still = frame.to_image(width=FRAME_WIDTH, height=FRAME_WIDTH * frame.height // frame.width)
        picture.paste(still, (MARGIN + number * (FRAME_WIDTH + 16), 320))
    draw.text((MARGIN, 560), "and each word lights up as it is spoken", DIM, font)
    picture.save(Path(__file__).with_name("picture.jpg"), quality=88)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
