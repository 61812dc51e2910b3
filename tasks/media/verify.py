"""A finished file against its plan: from its packets, and from the pictures at the borders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.stream import Stream

from tasks.errors import Interrupted
from tasks.timeline.model import Canvas, Check

SOUND_TOLERANCE_SAMPLES = 2 * 1024
"""An AAC packet holds 1024 samples; the last one is filled up, and some demuxers count priming."""


@dataclass(slots=True)
class _Packets:
    pts: list[int] = field(default_factory=list)
    dts: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    end: int = 0
    time_base_s: Fraction = Fraction(1)

    def add(self, packet: av.Packet) -> None:
        if packet.size == 0 or packet.pts is None:
            return
        self.pts.append(packet.pts)
        # Matroska keeps no decode times; a reader cannot always tell the first few.
        if packet.dts is not None:
            self.dts.append(packet.dts)
        self.end = max(self.end, packet.pts + (packet.duration or 0))
        if packet.is_keyframe:
            self.keys.append(packet.pts)


def verified(
    path: Path, canvas: Canvas, borders: Sequence[int], sound_samples: tuple[int, int] | None
) -> tuple[Check, ...]:
    """Return what was checked about a finished file.

    Args:
        path: the file.
        canvas: size and rate that it must have.
        borders: first frame of each chunk, and the number of frames in all.
        sound_samples: planned length of the sound and its sample rate; none: no sound.
    """
    with av.open(str(path)) as container:
        streams = [container.streams.video[0], *container.streams.audio[:1]]
        size = _size(container.streams.video[0])
        found = {stream.index: _Packets(time_base_s=_time_base_s(stream)) for stream in streams}
        for packet in container.demux(streams):
            found[packet.stream_index].add(packet)
    video, audio = (*found.values(), _Packets())[:2]
    checks = _video_checks(video, canvas, borders, size)
    checks.append(_border_check(path, video, canvas, borders))
    checks += _sound_checks(video, audio, sound_samples)
    return tuple(checks)


@contextmanager
def _told_warnings() -> Iterator[list[tuple[int, str, str]]]:
    """Collect what FFmpeg's libraries say on this thread, warnings and worse."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as said:
            yield said
    finally:
        av.logging.set_level(before)


def fully_decoded(path: Path, frames: int, cancelled: Callable[[], bool] = lambda: False) -> Check:
    """Return what came of decoding a file to its end.

    Args:
        path: the file.
        frames: how many it must hold.
        cancelled: asked for each picture.

    Raises:
        Interrupted: `cancelled` became true.
    """
    count = 0
    with _told_warnings() as said:
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                # What the decoder says is heard on its own thread alone.
                stream.thread_type = "NONE"
                for picture in container.decode(stream):
                    count += not picture.is_corrupt
                    if cancelled():
                        raise Interrupted("the run was cancelled", "give the same command again")
        except av.error.FFmpegError as error:
            return _check("every picture decodes", frames, f"{count}, then {error}", ok=False)
    complaints = [text.strip() for level, _, text in said if level <= av.logging.WARNING]
    got = f"{count}; the decoder says: {complaints[0]}" if complaints else str(count)
    return _check("every picture decodes", frames, got, ok=count == frames and not complaints)


def _time_base_s(stream: Stream) -> Fraction:
    assert stream.time_base is not None
    return stream.time_base


def _size(stream: av.VideoStream) -> str:
    return f"{stream.width}x{stream.height}"


def _check(name: str, expected: object, got: object, *, ok: bool | None = None) -> Check:
    return Check(name, expected == got if ok is None else ok, str(expected), str(got))


def _held(name: str, is_held: object) -> Check:
    return Check(name, bool(is_held), "yes", "yes" if is_held else "no")


def _frame_numbers(video: _Packets, rate: Fraction) -> list[int]:
    """Return each packet's frame number, in order of presentation, counted from the first."""
    first = min(video.pts, default=0)
    return [round((pts - first) * video.time_base_s * rate) for pts in sorted(video.pts)]


def _video_checks(
    video: _Packets, canvas: Canvas, borders: Sequence[int], size: str
) -> list[Check]:
    steps = np.diff(np.asarray(sorted(video.pts), dtype=np.int64))
    # Matroska counts milliseconds: there a frame's step may be one tick more or less.
    tick_s = video.time_base_s
    exact = 1 / canvas.rate / tick_s
    slack = 0 if exact.denominator == 1 else 1
    regular = (
        bool(np.all(np.abs(steps.astype(np.float64) - float(exact)) <= slack))
        if len(steps)
        else True
    )
    first = min(video.pts, default=0) * tick_s
    numbers = _frame_numbers(video, canvas.rate)
    keys = {round(key * tick_s * canvas.rate) for key in video.keys}
    missing = [border for border in borders[:-1] if border not in keys]
    return [
        _check("picture size", f"{canvas.width_px}x{canvas.height_px}", size),
        _check("frames", borders[-1], len(video.pts)),
        _held("each frame once, in order", numbers == list(range(len(numbers)))),
        _held("regular timestamps", regular),
        _held("decode order", video.dts == sorted(set(video.dts))),
        _check("picture starts at 0", "0", str(float(first)), ok=abs(first) <= tick_s),
        _check("key frame at each border", [], missing),
    ]


def _border_check(path: Path, video: _Packets, canvas: Canvas, borders: Sequence[int]) -> Check:
    """Decode the picture on each border: it must be there and be a key frame."""
    bad: list[int] = []
    # The file's own timestamps: a border in mid-millisecond is rounded either way in Matroska.
    key_pts = {round(pts * video.time_base_s * canvas.rate): pts for pts in video.keys}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for border in borders[:-1]:
            try:
                container.seek(key_pts.get(border, 0), stream=stream)
                picture = next(iter(container.decode(stream)))
                at = None if picture.pts is None else picture.pts * video.time_base_s
                whole = at is not None and not picture.is_corrupt
                if not whole or at is None or round(at * canvas.rate) != border:
                    bad.append(border)
            except (av.error.FFmpegError, StopIteration):
                bad.append(border)
    return _check("pictures at the borders decode", [], bad)


def _sound_checks(video: _Packets, audio: _Packets, planned: tuple[int, int] | None) -> list[Check]:
    if planned is None:
        return [_check("no sound", 0, len(audio.pts))]
    samples, rate_hz = planned
    end = round(audio.end * audio.time_base_s * rate_hz)
    within = abs(end - samples) <= SOUND_TOLERANCE_SAMPLES
    # The encoder's priming lies before 0 and is not played; more than that would be early sound.
    start = min(audio.pts, default=0) * audio.time_base_s
    priming = -Fraction(SOUND_TOLERANCE_SAMPLES, rate_hz)
    offset_ms = round(float((start if start < priming else max(start, Fraction(0))) * 1000), 3)
    half_frame_ms = 500 * float(_step_s(video))
    return [
        _check("sound length in samples", samples, end, ok=within),
        _check(
            "sound starts with the picture, ms", 0, offset_ms, ok=abs(offset_ms) <= half_frame_ms
        ),
    ]


def _step_s(video: _Packets) -> Fraction:
    pts = sorted(video.pts)
    return (pts[1] - pts[0]) * video.time_base_s if len(pts) > 1 else Fraction(1, 25)
