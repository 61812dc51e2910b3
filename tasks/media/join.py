"""Chunks into one file: packets are copied, nothing is encoded again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from heapq import merge
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer

from tasks.errors import Interrupted, VerificationFailed

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Containers that a film can be written to, by suffix."""


def join(  # noqa: PLR0913 - a remux needs all of it, and nothing else does
    chunks: Sequence[Path],
    frames: Sequence[int],
    sound: Path | None,
    target: Path,
    *,
    frame_ticks: int,
    timescale: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write chunks end to end, with the sound, into one file.

    Decode times are counted, one step a frame from the first packet to the last, so they are
    regular by construction; presentation times keep each chunk's own order of pictures.

    Args:
        chunks: the encoded chunks, in order; each starts with a key frame and closes its GOPs.
        frames: how many frames each must hold.
        sound: the encoded sound of the whole film.
        target: the file to write; its suffix chooses the container.
        frame_ticks: length of a frame in ticks.
        timescale: ticks a second.

    Raises:
        VerificationFailed: a chunk does not hold the frames that it should.
    """
    muxer = MUXERS[target.suffix.lower()]
    options = {"fflags": "+bitexact"}
    if muxer == "matroska":
        # The sound's priming lies before 0; the muxer would move everything behind it instead.
        options["avoid_negative_ts"] = "disabled"
    else:
        options |= {"movflags": "+faststart", "video_track_timescale": str(timescale)}
    with av.open(str(target), "w", format=muxer, options=options) as output:
        with av.open(str(chunks[0])) as first:
            video = _like(output, first.streams.video[0])
            video.time_base = Fraction(1, timescale)
        packets = _video_packets(chunks, frames, video, frame_ticks, timescale, cancelled)
        if sound is None:
            _mux(output, packets)
            return
        with av.open(str(sound)) as heard:
            audio = output.add_stream_from_template(heard.streams.audio[0])
            sounds = _sound_packets(heard, audio)
            ticks = heard.streams.audio[0].rate
            _mux(output, merge(packets, sounds, key=_decode_times(video, timescale, ticks)))


def _like(output: OutputContainer, first: av.VideoStream) -> av.VideoStream:
    """Add a stream like the chunks', under the same codec tag where the container has tags."""
    # Opaque: else PyAV looks for an encoder of the decoder's name, which AV1 does not have.
    video = output.add_stream_from_template(first, opaque=True)
    if output.format.name != "matroska":
        # Apple's players take HEVC as hvc1 alone, and the muxer's own choice is hev1.
        video.codec_context.codec_tag = first.codec_context.codec_tag
    return video


def _mux(output: OutputContainer, packets: Iterator[av.Packet]) -> None:
    for packet in packets:
        output.mux(packet)


def _decode_times(
    video: av.VideoStream, timescale: int, sound_ticks: int
) -> Callable[[av.Packet], int]:
    """Return what tells when a packet is decoded, on a clock that both streams' ticks divide.

    Args:
        video: the stream of pictures; packets of any other are sound.
        timescale: ticks a second of the pictures.
        sound_ticks: ticks a second of the sound.
    """

    def decode_time(packet: av.Packet) -> int:
        assert packet.dts is not None
        return packet.dts * (sound_ticks if packet.stream is video else timescale)

    return decode_time


def _video_packets(
    chunks: Sequence[Path],
    frames: Sequence[int],
    stream: av.VideoStream,
    frame_ticks: int,
    timescale: int,
    cancelled: Callable[[], bool],
) -> Iterator[av.Packet]:
    # Encoders reorder pictures by the same depth in every chunk but very short ones, which may
    # reorder less; the deepest one sets how far decoding runs ahead.
    delay = _ticks_ahead(chunks)
    start, time_base = 0, Fraction(1, timescale)
    for path, expected in zip(chunks, frames, strict=True):
        if cancelled():
            raise Interrupted("the run was cancelled", "give the same command again to go on")
        number = 0
        for number, packet in enumerate(_packets(path), start=1):
            assert packet.pts is not None
            packet.pts += start * frame_ticks
            packet.dts = (start + number - 1) * frame_ticks - delay
            packet.duration = frame_ticks
            packet.time_base = time_base
            packet.stream = stream
            yield packet
        if number != expected:
            raise VerificationFailed(
                f"a chunk holds {number} frames where {expected} were planned ({path.name})",
                "give the same command again: the chunk is rendered anew",
            )
        start += expected


def _packets(path: Path) -> Iterator[av.Packet]:
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield packet


def _ticks_ahead(chunks: Sequence[Path]) -> int:
    """Return how many ticks decoding runs ahead of presentation, at most, over all chunks.

    Raises:
        VerificationFailed: they were encoded in different ways.
    """
    ahead, headers = 0, set()
    for path in chunks:
        with av.open(str(path)) as container:
            # What a decoder is told ahead of the first picture: a film has one for all chunks.
            headers.add(container.streams.video[0].codec_context.extradata)
            first = next(packet for packet in container.demux(video=0) if packet.size)
            ahead = max(ahead, -(first.dts or 0))
        if len(headers) > 1:
            raise VerificationFailed(
                f"a chunk was encoded with other parameters than the first one ({path.name})",
                "render the film with one encoder on machines of one kind",
            )
    return ahead


def _sound_packets(heard: InputContainer, stream: av.AudioStream) -> Iterator[av.Packet]:
    for packet in heard.demux(audio=0):
        if packet.size:
            packet.stream = stream
            yield packet
