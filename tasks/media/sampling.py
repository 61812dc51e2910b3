"""Frames sampled from footage as cheaply as its coding allows.

No picture is decoded that need not be. Where key frames lie close enough they alone are decoded,
each by itself; elsewhere the frames up to the next sample, without those that no other refers to
and without the loop filter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer

from tasks.media.containers import opened
from tasks.timeline.model import VideoStream

MAX_WAITING_BYTES = 64 * 2**20
"""Packets held back at most before they are decoded; it bounds memory at high bit rates."""

_Timed = tuple[float, av.VideoFrame]
"""A frame and its timestamp in seconds, as the container counts them."""


def sampled(
    path: Path, video: VideoStream, interval_s: float
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yield frames about every `interval_s`, each with its source time in seconds.

    The steps between them are 0.5 to 1.5 intervals where key frames serve, else one interval.
    Loop filters are off, so the frames are good for looking at, not for showing. Damaged packets
    are passed over; a file that breaks off ends there.

    Raises:
        BadInput: the file cannot be opened.
    """
    first_s: float | None = None
    with opened(path) as container:
        stream = next(s for s in container.streams.video if s.index == video.index)
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"skip_loop_filter": "all"}
        stream.codec_context.skip_frame = "NONREF"
        sampler = _Sampler(stream, interval_s, float(1 / video.rate) / 2, video.seeks)
        for at_s, frame in _frames(container, sampler):
            first_s = at_s if first_s is None else first_s
            yield float(video.start_s) + at_s - first_s, frame


def _frames(container: InputContainer, sampler: _Sampler) -> Iterator[_Timed]:
    """Yield the sampler's choice from all packets; a file that breaks off ends there."""
    packets = container.demux(sampler.stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = None
        if packet is None:
            break
        if packet.size:
            yield from sampler.take(packet)
    yield from sampler.finish()


@dataclass(slots=True)
class _Sampler:
    """Decodes what it must of a stream of packets to give a frame every interval.

    Packets wait until it is sure that no key frame comes in time to be the next sample.
    """

    stream: Any
    interval_s: float
    slack_s: float
    """How much early a frame may be and still be the next sample: half a frame."""
    uses_keys: bool
    """Whether a key frame can be decoded by itself."""
    last_s: float = -inf
    """Timestamp of the last sample."""
    key_s: float | None = None
    """Timestamp of the last key frame, where it is presented."""
    waiting: list[av.Packet] = field(default_factory=list)
    waiting_bytes: int = 0
    is_running: bool = False
    """Whether the decoder holds frames that later ones refer to."""

    def take(self, packet: av.Packet) -> Iterator[_Timed]:
        """Yield the samples that a further packet gives."""
        at_s = None if packet.pts is None else float(packet.pts * packet.time_base)
        if self._is_late(at_s) and self._key_serves():
            yield from self._alone(self.waiting[0])
        is_key = packet.is_keyframe and at_s is not None and self.uses_keys
        if not is_key:
            self._wait(packet)
        if self._is_late(at_s) or self.waiting_bytes > MAX_WAITING_BYTES:
            yield from self._run()
        if is_key and at_s is not None:
            yield from self._key(packet, at_s)

    def _is_late(self, at_s: float | None) -> bool:
        """Return whether no sample can be waited for any longer (nor where times are unknown)."""
        return at_s is None or at_s > self.last_s + 1.5 * self.interval_s

    def _key_serves(self) -> bool:
        """Return whether the key frame that waits first is far enough from the last sample."""
        if self.key_s is None or self.is_running:
            return False
        return self.key_s >= self.last_s + 0.5 * self.interval_s

    def finish(self) -> Iterator[_Timed]:
        """Yield the samples that are left at the end."""
        due_s = self.last_s + self.interval_s - self.slack_s
        times_s = [float(p.pts * p.time_base) for p in self.waiting if p.pts is not None]
        if not times_s or max(times_s) >= due_s:
            yield from self._run()
        yield from self._restart()

    def _key(self, packet: av.Packet, at_s: float) -> Iterator[_Timed]:
        yield from self._restart()
        self._wait(packet)
        self.key_s = None if packet.is_discard else at_s
        if not packet.is_discard and at_s >= self.last_s + self.interval_s - self.slack_s:
            yield from self._alone(packet)

    def _alone(self, packet: av.Packet) -> Iterator[_Timed]:
        """Decode a key frame by itself, with an empty decoder before and after."""
        frames = [*self._decode(packet), *self._decode(None)]
        self.stream.codec_context.flush_buffers()
        yield from self._due(frames, 0.5 * self.interval_s)

    def _wait(self, packet: av.Packet) -> None:
        self.waiting.append(packet)
        self.waiting_bytes += packet.size

    def _run(self) -> Iterator[_Timed]:
        """Decode what waits, in sequence."""
        waiting, self.waiting, self.waiting_bytes = self.waiting, [], 0
        for packet in waiting:
            self.is_running = True
            yield from self._due(self._decode(packet), self.interval_s - self.slack_s)

    def _restart(self) -> Iterator[_Timed]:
        """Empty the decoder, and drop what waits: a key frame needs none of it."""
        self.waiting, self.waiting_bytes = [], 0
        if self.is_running:
            yield from self._due(self._decode(None), self.interval_s - self.slack_s)
            self.stream.codec_context.flush_buffers()
            self.is_running = False

    def _due(self, frames: list[av.VideoFrame], step_s: float) -> Iterator[_Timed]:
        for frame in frames:
            if frame.pts is None:
                continue
            at_s = float(frame.pts * self.stream.time_base)  # a drained frame has no time base
            if at_s >= self.last_s + step_s:
                self.last_s = at_s
                yield at_s, frame

    def _decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        """Return the frames that a packet gives; none for a damaged one."""
        try:
            return list(self.stream.decode(packet))
        except (av.error.FFmpegError, ValueError):
            return []
