"""The sound of footage as samples at exact places on the source's time axis, streamed.

Sample `n` at a rate lies at source time ``n / rate``. What the file does not hold is zeros: sound
that starts late, holes in its timestamps, packets that do not decode, and all beyond its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import av.error
import numpy as np
from av.audio.layout import AudioLayout
from av.container import InputContainer
from av.stream import Discard

from tasks.errors import BadInput
from tasks.media.containers import opened
from tasks.media.files import written_whole
from tasks.timeline.model import AudioStream, Source
from tasks.timeline.time import round_half_up

ANALYSIS_RATE_HZ = 16_000
"""What speech models take; it holds all of speech that matters for finding it."""

BLOCK_SAMPLES = 1 << 16

TOLERANCE_S = Fraction(3, 1000)
"""Timestamps this far from where the samples lead are rounding, not holes. The coarsest clocks in
use tick at 1/600 s (QuickTime) and 1/1000 s (Matroska): two roundings at 1/600 s are 1.7 ms. The
shortest lost packet in use, of Opus, is 2.5 ms, and one of AAC is 21 ms."""

_HISTORY_S = 1
"""Samples kept behind the last read, so that the handles of a cut do not reopen the file."""

_GONE = 1e-4
"""A channel with less than this part of the other's energy (-40 dB) holds nothing to mix in."""

_OPPOSED = -0.5
"""Channels that correlate below this cancel in their sum: one of them is turned over."""


def has_sound(sources: tuple[Source, ...] | list[Source]) -> bool:
    """Return whether any source has sound; if none has, the edit has no sound stream."""
    return any(source.audio is not None for source in sources)


def output_channels(source: Source) -> int:
    """Return 1 for mono footage and 2 for all other (surround is mixed down to stereo)."""
    return 1 if source.audio is None or source.audio.channels == 1 else 2


class SampleReader:
    """Hands out samples of one source at a rate, as float32 of shape (channels, count).

    Reading on is streaming; reading back more than a second decodes again from the start, because
    seeking is not sample exact in every container.

    Raises:
        BadInput: the source has no sound, or the file cannot be opened.
    """

    def __init__(self, path: Path, source: Source, rate_hz: int) -> None:
        self._audio = _sound_of(path, source)
        self.channels = output_channels(source)
        self.rate_hz = rate_hz
        self._path = path
        self._files = ExitStack()
        self._open()

    def __enter__(self) -> SampleReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def read(self, start_sample: int, count: int) -> np.ndarray:
        """Return samples ``[start_sample, start_sample + count)``; the start may be negative."""
        if max(start_sample, 0) < self._kept_from:
            self._open()
        self._advance(start_sample, start_sample + count)
        out = np.zeros((self.channels, count), np.float32)
        at = self._kept_from
        for block in self._kept:
            low, high = max(at, start_sample), min(at + block.shape[1], start_sample + count)
            if low < high:
                out[:, low - start_sample : high - start_sample] = block[:, low - at : high - at]
            at += block.shape[1]
        return out

    def _open(self) -> None:
        self._files.close()
        container = self._files.enter_context(opened(self._path))
        self._blocks = _resampled(
            _native(container, self._audio), self._audio.sample_rate_hz, self.rate_hz
        )
        self._kept: deque[np.ndarray] = deque()
        self._kept_from = 0
        self._kept_to = 0

    def _advance(self, start: int, end: int) -> None:
        """Decode on until `end`, and let go of what lies well before `start`."""
        history = _HISTORY_S * self.rate_hz
        while self._kept_to < end:
            block = next(self._blocks, None)
            if block is None:
                break
            self._kept.append(block)
            self._kept_to += block.shape[1]
            while self._kept and self._kept_from + self._kept[0].shape[1] < start - history:
                self._kept_from += self._kept.popleft().shape[1]


def analysis_blocks(path: Path, source: Source) -> Iterator[np.ndarray]:
    """Yield the sound from source time 0 to the source's end, mono at 16 kHz, float32 in [-1, 1].

    Stereo is mixed so that neither channels of opposite phase nor a silent channel cost level; the
    file is decoded once more beforehand to see which it is.

    Raises:
        BadInput: the source has no sound, or the file cannot be opened.
    """
    weights = _mix_weights(path, source)
    total = round_half_up(source.duration_s * ANALYSIS_RATE_HZ)
    with SampleReader(path, source, ANALYSIS_RATE_HZ) as reader:
        for start in range(0, total, BLOCK_SAMPLES):
            block = reader.read(start, min(BLOCK_SAMPLES, total - start))
            yield np.clip(weights @ block, -1, 1)


def extract_analysis_audio(path: Path, source: Source, target: Path) -> None:
    """Write the sound for analysis (see `analysis_blocks`) as a 16-bit FLAC file, whole or not.

    Raises:
        BadInput: the source has no sound, or a file cannot be opened or written.
    """
    with (
        written_whole(target) as part,
        av.open(str(part), "w", format="flac", options={"fflags": "+bitexact"}) as out,
    ):
        stream = out.add_stream("flac", rate=ANALYSIS_RATE_HZ, layout="mono", format="s16")
        at = 0
        for block in analysis_blocks(path, source):
            ints = np.clip(np.rint(block * 32768), -32768, 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(ints[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = ANALYSIS_RATE_HZ, at
            frame.time_base = Fraction(1, ANALYSIS_RATE_HZ)
            at += len(ints)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def read_analysis(path: Path, start_s: float, end_s: float) -> np.ndarray:
    """Return a range of the sound for analysis, mono float32 at 16 kHz; it stops at the file's end.

    Raises:
        BadInput: the file cannot be opened.
    """
    start, end = (round_half_up(Fraction(t) * ANALYSIS_RATE_HZ) for t in (max(start_s, 0.0), end_s))
    blocks: list[np.ndarray] = []
    got = 0
    with opened(path) as container:
        for block in _flac_blocks(container, start):
            blocks.append(block[: end - start - got])
            got += len(blocks[-1])
            if got >= end - start:
                break
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def iter_analysis(path: Path, block_s: float) -> Iterator[np.ndarray]:
    """Yield all the sound for analysis in blocks of one length; the last may be shorter.

    Raises:
        BadInput: the file cannot be opened.
    """
    size = max(1, round_half_up(Fraction(block_s) * ANALYSIS_RATE_HZ))
    rest: list[np.ndarray] = []
    held = 0
    with opened(path) as container:
        for block in _flac_blocks(container, 0):
            rest.append(block)
            held += len(block)
            if held >= size:
                joined = np.concatenate(rest)
                for at in range(0, held - size + 1, size):
                    yield joined[at : at + size]
                rest, held = [joined[held - held % size :]], held % size
    if held:
        yield np.concatenate(rest)


def _sound_of(path: Path, source: Source) -> AudioStream:
    if source.audio is None:
        raise BadInput(f"{path} has no sound that can be decoded", "use footage with sound")
    return source.audio


def _flac_blocks(container: InputContainer, start: int) -> Iterator[np.ndarray]:
    """Yield the samples of a FLAC file from `start` on: seek to before it, drop what leads up."""
    stream = container.streams.audio[0]
    if start > ANALYSIS_RATE_HZ and stream.time_base:
        lead = Fraction(start - ANALYSIS_RATE_HZ, ANALYSIS_RATE_HZ)
        container.seek(int(lead / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        at = round_half_up(Fraction(frame.time or 0) * ANALYSIS_RATE_HZ)
        block = frame.to_ndarray()[0].astype(np.float32) / 32768
        if at + len(block) > start:
            yield block[max(0, start - at) :]


def _mix_weights(path: Path, source: Source) -> np.ndarray:
    """Return what each channel counts for in the mono mix, from their covariance over the file."""
    audio = _sound_of(path, source)
    if output_channels(source) == 1:
        return np.ones(1, np.float32)
    covariance = np.zeros((2, 2))
    with opened(path) as container:
        for block in _native(container, audio):
            centred = block - block.mean(axis=1, keepdims=True)
            covariance += centred @ centred.T
    left, right = float(covariance[0, 0]), float(covariance[1, 1])
    if min(left, right) <= _GONE * max(left, right):
        return np.array([left >= right, left < right], np.float32)
    opposed = covariance[0, 1] / np.sqrt(left * right) < _OPPOSED
    return np.array([0.5, -0.5 if opposed else 0.5], np.float32)


def _native(container: InputContainer, audio: AudioStream) -> Iterator[np.ndarray]:
    """Yield the sound from source time 0 without a gap, at its own rate, float32 (channels, n)."""
    rate_hz = audio.sample_rate_hz
    tolerance = 0  # The first sample lies where it lies; rounding is forgiven after it.
    at = 0
    zero_s: Fraction | None = None
    for time_s, decoded in _converted(container, audio):
        block = decoded
        if time_s is not None:
            if zero_s is None:
                zero_s = time_s - audio.start_s
            due = round_half_up((time_s - zero_s) * rate_hz)
            if due > at + tolerance:
                yield from _zeros(block.shape[0], due - at)
                at = due
            elif due < at - tolerance:
                block = decoded[:, at - due :]
            tolerance = int(TOLERANCE_S * rate_hz)
        at += block.shape[1]
        if block.shape[1]:
            yield block


def _zeros(channels: int, count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, BLOCK_SAMPLES):
        yield np.zeros((channels, min(BLOCK_SAMPLES, count - start)), np.float32)


def _converted(
    container: InputContainer, audio: AudioStream
) -> Iterator[tuple[Fraction | None, np.ndarray]]:
    """Yield each decoded frame's time and samples, as float at one layout and one rate.

    Some streams change their format on the way (broadcast, screen recorders); each stretch has its
    own converter. Samples that are no numbers come from damaged packets and count as zeros.
    """
    layout = "mono" if audio.channels == 1 else "stereo"
    converter: av.AudioResampler | None = None
    kind = None
    for frame in _frames(container, audio.index):
        time_s = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
        if kind != (frame.format.name, frame.layout.name, frame.sample_rate):
            for late in converter.resample(None) if converter else ():
                yield None, late.to_ndarray()
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            converter = av.AudioResampler("fltp", AudioLayout(layout), audio.sample_rate_hz)
        assert converter is not None
        frame.pts = None
        for converted in converter.resample(frame):
            yield time_s, np.nan_to_num(converted.to_ndarray(), posinf=0, neginf=0)
            time_s = None


def _frames(container: InputContainer, index: int) -> Iterator[av.AudioFrame]:
    """Yield decoded frames; a packet that does not decode is left out, a cut-off file ends."""
    wanted = next((s for s in container.streams.audio if s.index == index), None)
    if wanted is None:
        raise BadInput(f"{container.name} holds no sound stream {index}", "make the plan again")
    for stream in container.streams:
        if stream is not wanted:
            stream.discard = Discard.all
    try:
        for packet in container.demux(wanted):
            try:
                yield from (f for f in packet.decode() if isinstance(f, av.AudioFrame))
            except (av.error.FFmpegError, ValueError):
                continue
    except av.error.FFmpegError:
        return


def _resampled(blocks: Iterator[np.ndarray], from_hz: int, to_hz: int) -> Iterator[np.ndarray]:
    """Yield the same sound at another rate (libswresample, one filter over the whole stream)."""
    if from_hz == to_hz:
        yield from blocks
        return
    resampler = av.AudioResampler("fltp", None, to_hz)
    for block in blocks:
        layout = "mono" if block.shape[0] == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", layout)
        frame.sample_rate = from_hz
        yield from (out.to_ndarray() for out in resampler.resample(frame))
    yield from (out.to_ndarray() for out in resampler.resample(None))
