"""Footage that tests make: pictures that carry their number, flashes with beeps, and plans."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tasks.join_film import joined
from tasks.media import ffmpeg
from tasks.media.probe import probe
from tasks.render.chunks import Chunk, chunks
from tasks.render.plan import RenderPlan, SoundPlan, canvas_for, encoding_for
from tasks.render_chunk import draw_chunk
from tasks.render_sound import draw_sound
from tasks.run import Run
from tasks.settings import RenderSettings
from tasks.timeline.model import AudioStream, Check, Clip, Source, Timeline, VideoStream

SAMPLE = Path(__file__).parents[1] / "data" / "samples" / "talk.mp4"

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


SOUND_RATE_HZ = 48_000


def write_wav(target: Path, sound: NDArray[np.float64]) -> Path:
    """Write mono sound in the range -1 to 1 as 16-bit PCM."""
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SOUND_RATE_HZ)
        out.writeframes((sound * 32767).astype("<i2").tobytes())
    return target


def beeps(moments_s: Iterable[float], length_s: float) -> NDArray[np.float64]:
    """Return sound with a 2 kHz beep of about 2 ms centred on each moment."""
    sound = np.zeros(round(length_s * SOUND_RATE_HZ))
    for moment_s in moments_s:
        first = max(0, round((moment_s - 0.01) * SOUND_RATE_HZ))
        at_s = np.arange(first, min(len(sound), first + SOUND_RATE_HZ // 50)) / SOUND_RATE_HZ
        bell = np.exp(-(((at_s - moment_s) / 1e-3) ** 2))
        sound[first : first + len(at_s)] += 0.8 * bell * np.cos(4000 * np.pi * (at_s - moment_s))
    return sound


FLASH_EVERY = 20
"""Frames from flash to flash."""

FLASH_AT = 10
"""Where the flash lies in each such run."""


def flash_video(target: Path, rate: Fraction, flashes: int, *options: str) -> Path:
    """Encode a dark video with white frames; in the middle of each of them there is a beep."""
    size = (64, 48)
    dark, white = (np.full(size[::-1], value, np.uint8) for value in (30, 235))
    frames = flashes * FLASH_EVERY
    at = range(FLASH_AT, frames, FLASH_EVERY)
    moments_s = [float((frame + Fraction(1, 2)) / rate) for frame in at]
    sound = write_wav(target.with_suffix(".wav"), beeps(moments_s, float(frames / rate)))
    shown = (white if n % FLASH_EVERY == FLASH_AT else dark for n in range(frames))
    return encode(target, shown, rate, *options, size=size, sound=sound)


def flash_offsets_s(path: Path, rate: Fraction) -> list[tuple[float, float]]:
    """Return for each flash of a film when it is shown and how far its beep lies behind it."""
    with av.open(str(path)) as container:
        shown = [
            float(frame.pts * frame.time_base + Fraction(1, 2) / rate)
            for frame in container.decode(video=0)
            if frame.to_ndarray(format="gray").mean() > 125
        ]
    first_s, power = _sound_power(path)
    reach = SOUND_RATE_HZ // 10
    out = []
    for moment_s in shown:
        low = max(0, round((moment_s - first_s) * SOUND_RATE_HZ) - reach)
        near = power[low : low + 2 * reach]
        middle = float((near * np.arange(len(near))).sum() / near.sum())
        out.append((moment_s, first_s + (low + middle) / SOUND_RATE_HZ - moment_s))
    return out


def _sound_power(path: Path) -> tuple[float, NDArray[np.float64]]:
    """Return when a file's sound starts, and the square of each of its samples."""
    blocks: list[NDArray[np.float64]] = []
    first_s = 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            if not blocks:
                first_s = float(frame.pts * frame.time_base)
            blocks.append(frame.to_ndarray()[0].astype(np.float64) ** 2)
    return first_s, np.concatenate(blocks)


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


def made_up_source(
    digest: str = "ab" * 32,
    rate: Fraction = Fraction(25),
    *,
    frames: int = 100_000,
    start_s: Fraction = Fraction(0),
    **changes: Any,
) -> Source:
    """Return a source that no file stands behind, 640x360 with stereo sound."""
    end_s = start_s + frames / rate
    video = VideoStream(
        0, "h264", 640, 360, "yuv420p", rate, False, frames, start_s, end_s, **changes
    )
    audio = AudioStream(1, "aac", SOUND_RATE_HZ, 2, Fraction(0), end_s)
    return Source(digest, "a.mp4", "mov", 1, end_s, video, audio)


def footage(run: Run, path: Path) -> Source:
    """Return what a file holds, and let a run know where it lies."""
    source = probe(path)
    run.footage[source.digest] = path
    return source


def random_clips(source: int, frames: int, cuts: int, seed: int, first: int = 0) -> list[Clip]:
    """Return clips in order that keep random ranges of a source, with `cuts` cuts between them."""
    chosen = np.random.default_rng(seed).permutation(frames + 1)[: 2 * cuts + 2]
    ends = [int(end) + first for end in np.sort(chosen)]
    return [Clip(source, start, end) for start, end in zip(ends[::2], ends[1::2], strict=True)]


def drawn(run: Run, plan: RenderPlan, parts: Sequence[Chunk]) -> Iterator[Path]:
    """Draw and encode chunks, each in a folder of its own."""
    for part in parts:
        yield draw_chunk(run, plan, part, run.store.work_folder())


def film(run: Run, plan: RenderPlan, output: Path) -> tuple[Check, ...]:
    """Render a whole film to a file and return what was checked about it."""
    parts = chunks(plan)
    sound = draw_sound(run, plan, plan.sound, run.store.work_folder()) if plan.sound else None
    return joined(run, plan, parts, list(drawn(run, plan, parts)), sound, output)


def sample(target: Path, length_s: float) -> Path:
    """Write the first seconds of the sample talk."""
    cut = ["-i", str(SAMPLE), "-t", str(length_s), "-c", "copy", str(target)]
    ffmpeg.run(cut, folder=target.parent)
    return target
