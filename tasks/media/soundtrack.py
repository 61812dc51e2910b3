"""The output's sound: rendered once, whole, streaming, and encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from tasks.media.audio import BLOCK_SAMPLES, SampleReader
from tasks.media.files import written_whole
from tasks.timeline.model import Source

SOUND_RATE_HZ = 48_000
"""Sample rate of every output: what video players, platforms and AAC encoders expect."""


class Segment(Protocol):
    """A run of one source's sound on the timeline (`tasks.render.sound.SoundSegment`)."""

    @property
    def source(self) -> int: ...
    @property
    def start_samples(self) -> int: ...
    @property
    def end_samples(self) -> int: ...
    @property
    def source_start_samples(self) -> int: ...
    @property
    def fade_in_samples(self) -> int: ...
    @property
    def fade_out_samples(self) -> int: ...


def rendered_blocks(
    segments: Sequence[Segment],
    paths: Sequence[Path],
    sources: Sequence[Source],
    *,
    channels: int,
    rate_hz: int = SOUND_RATE_HZ,
) -> Iterator[np.ndarray]:
    """Yield the timeline's sound in order, float32 of shape (channels, n), every sample once.

    Where two segments meet they cross-fade with gains that add up to 1, each going on beyond its
    end into the footage around it. A source without sound gives zeros. The caller sees to it that
    the segments tile the timeline.

    Raises:
        BadInput: a file cannot be opened.
    """
    with ExitStack() as files:
        readers = {
            index: files.enter_context(SampleReader(paths[index], sources[index], rate_hz))
            for index in sorted({segment.source for segment in segments})
            if sources[index].audio is not None
        }
        for number, segment in enumerate(segments):
            reader = readers.get(segment.source)
            start = segment.start_samples + segment.fade_in_samples // 2
            end = segment.end_samples - segment.fade_out_samples // 2
            for at in range(start, end, BLOCK_SAMPLES):
                yield _heard(reader, segment, at, min(BLOCK_SAMPLES, end - at), channels)
            if segment.fade_out_samples:
                after = segments[number + 1]
                going = _heard(reader, segment, end, segment.fade_out_samples, channels)
                coming = _heard(
                    readers.get(after.source), after, end, segment.fade_out_samples, channels
                )
                yield _cross_faded(going, coming)


def encode_aac(
    blocks: Iterable[np.ndarray],
    target: Path,
    *,
    channels: int,
    bitrate: int,
    rate_hz: int = SOUND_RATE_HZ,
) -> None:
    """Write sound as AAC in MP4 (``.m4a``), whole or not; the same blocks give the same bytes.

    The encoder's priming samples are skipped by the edit list, so sample 0 plays at time 0.

    Raises:
        BadInput: the target cannot be written.
    """
    with written_whole(target) as part:
        # +bitexact leaves out the date and the version of the muxer.
        options = {"fflags": "+bitexact", "movflags": "+faststart", "movie_timescale": str(rate_hz)}
        with av.open(str(part), "w", format="mp4", options=options) as out:
            layout = "mono" if channels == 1 else "stereo"
            stream = out.add_stream("aac", rate=rate_hz, layout=layout)
            stream.bit_rate = bitrate
            stream.time_base = Fraction(1, rate_hz)
            stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
            at = 0
            for block in blocks:
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", layout)
                frame.sample_rate, frame.pts = rate_hz, at
                frame.time_base = Fraction(1, rate_hz)
                at += block.shape[1]
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))


def _heard(
    reader: SampleReader | None, segment: Segment, at: int, count: int, channels: int
) -> np.ndarray:
    """Return what a segment sounds like on timeline samples, also beyond its own ends."""
    if reader is None:
        return np.zeros((channels, count), np.float32)
    block = reader.read(segment.source_start_samples + at - segment.start_samples, count)
    if block.shape[0] == channels:
        return block
    if channels == 1:
        return block.mean(axis=0, keepdims=True)
    return np.repeat(block, channels, axis=0)


def _cross_faded(going: np.ndarray, coming: np.ndarray) -> np.ndarray:
    """Return one sound turning into another along a raised cosine; equal sounds stay as they are.

    Equal gain, not equal power: speech of one take on both sides of a cut is alike, and a bump of
    3 dB would be heard sooner than a dip within a few ms.
    """
    count = going.shape[1]
    rise = np.sin(np.pi / 2 * (np.arange(count) + 0.5) / count) ** 2
    mixed: np.ndarray = (going + (coming - going) * rise).astype(np.float32)
    return mixed
