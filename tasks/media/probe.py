"""What a file of footage holds, read from its packets and first pictures, not from its header."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Discard, Disposition

from tasks.errors import BadInput
from tasks.media.appearance import color_tags, orientation
from tasks.media.containers import opened
from tasks.media.digest import file_digest
from tasks.media.seeking import seeks_well
from tasks.timeline.model import AudioStream, Source, VideoStream
from tasks.timeline.rates import frame_rate_of

MIN_SIDE_PX = 16
"""Smaller pictures are refused: one macroblock of H.264 is the least that is worth encoding."""

JUMP_S = 2
"""Timestamps that fall back further than reordering ever does: files written one behind another."""

CUT_OFF_S = 1.0
"""A header that promises this much more than there is tells of a file that was cut off."""

_PACKETS_TRIED = 300
"""Packets that are tried before a stream counts as one that cannot be decoded."""


@dataclass(slots=True)
class _Track:
    """One stream's facts, gathered while the file is read."""

    index: int
    codec: str
    time_base_s: Fraction
    hints: tuple[Fraction, ...] = ()
    pts: list[int] = field(default_factory=list)
    key_pts: list[int] = field(default_factory=list)
    end_pts: int = 0
    starts_anew: bool = False

    def add(self, packet: av.Packet) -> None:
        if packet.size == 0 or packet.is_discard or packet.pts is None:
            return
        if (self.end_pts - packet.pts) * self.time_base_s > JUMP_S:
            self.starts_anew = True
        self.pts.append(packet.pts)
        self.end_pts = max(self.end_pts, packet.pts + (packet.duration or 0))
        if packet.is_keyframe:
            self.key_pts.append(packet.pts)


def probe(path: Path, *, digest: str | None = None, track: int | None = None) -> Source:
    """Return what a file of footage holds.

    Args:
        path: a local media file.
        digest: the digest of its bytes where it is known already.
        track: which of its sound tracks to use (0 is the first); none: the default one.

    Raises:
        BadInput: the file is missing, is no media, or holds no picture that can be decoded.
    """
    warnings: list[str] = []
    with opened(path) as container:
        video, picture = _first_picture(container, path)
        name = container.format.name
    with opened(path) as container:
        audio, sound = _first_sound(container, path, track, warnings)
    with opened(path) as container:
        _read_through(container, [found for found in (video, audio) if found], warnings)
        promised_s = _promised_s(container.streams[video.index])
    if video.starts_anew:
        warnings.append(
            "its timestamps start anew in the middle (files put one behind another?): what "
            "overlaps is left out; give the parts as files of their own"
        )
    if not video.pts:
        _decode_times(path, video)
    _tell_cut_off(video, promised_s, warnings)
    return _source(path, digest, name, (video, picture), (audio, sound), warnings)


def _first_picture(container: InputContainer, path: Path) -> tuple[_Track, av.VideoFrame]:
    """Return the picture stream to use and its first picture."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    best = container.streams.best("video")
    streams.sort(key=lambda stream: stream is not best)
    if not streams:
        raise BadInput(f"{path} holds no picture", "finecut edits video; this is sound only")
    for stream in streams:
        picture = _first_frame(container, stream)
        if isinstance(picture, av.VideoFrame) and stream.time_base:
            rates = (stream.guessed_rate, stream.base_rate, stream.average_rate)
            hints = tuple(Fraction(rate) for rate in rates if rate)
            codec = stream.codec_context.name
            return _Track(stream.index, codec, stream.time_base, hints), picture
    raise BadInput(f"{path}: no picture in it can be decoded", "it is damaged, or cut off early")


def _first_sound(
    container: InputContainer, path: Path, track: int | None, warnings: list[str]
) -> tuple[_Track | None, av.AudioFrame | None]:
    """Return the sound stream to use and its first decoded frame, or nothing and a warning."""
    streams = list(container.streams.audio)
    if not streams:
        warnings.append("no sound: nothing counts as silent, and nothing is transcribed")
        return None, None
    if track is not None and track >= len(streams):
        raise BadInput(
            f"{path} has {len(streams)} sound tracks, and sound.track is {track}",
            f"give a number from 0 to {len(streams) - 1}",
        )
    best = container.streams.best("audio")
    wanted = [streams[track]] if track is not None else sorted(streams, key=lambda s: s is not best)
    for stream in wanted:
        sound = _first_frame(container, stream)
        if isinstance(sound, av.AudioFrame) and stream.time_base and sound.pts is not None:
            if len(streams) > 1:
                warnings.append(
                    f"{len(streams)} sound tracks; track {streams.index(stream)} is used "
                    "(sound.track chooses another)"
                )
            return _Track(stream.index, stream.codec_context.name, stream.time_base), sound
        if container.start_time is not None:
            container.seek(container.start_time)
    warnings.append("the sound cannot be decoded; the film is made without it")
    return None, None


def _first_frame(
    container: InputContainer, stream: av.stream.Stream
) -> av.VideoFrame | av.AudioFrame | None:
    """Return the first frame of a stream that decodes, or none within `_PACKETS_TRIED` packets."""
    tried = 0
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                frames = []
            if frames:
                return frames[0]  # type: ignore[return-value]
            tried += 1
            if tried > _PACKETS_TRIED:
                return None
    except (av.error.FFmpegError, ValueError):
        return None
    return None


def _read_through(container: InputContainer, tracks: list[_Track], warnings: list[str]) -> None:
    """Gather the timestamps of every packet; stop, with a warning, where the file is damaged."""
    by_index = {track.index: track for track in tracks}
    for stream in container.streams:
        if stream.index not in by_index:
            stream.discard = Discard.all
    try:
        for packet in container.demux([container.streams[index] for index in by_index]):
            if packet.stream_index in by_index:
                by_index[packet.stream_index].add(packet)
    except av.error.FFmpegError as error:
        warnings.append(f"the file is damaged or cut off ({error.strerror}); what is there is used")


def _promised_s(stream: av.stream.Stream) -> Fraction | None:
    """Return the length that the header gives a stream, in seconds."""
    if not stream.duration or not stream.time_base:
        return None
    return stream.duration * stream.time_base


def _tell_cut_off(video: _Track, promised_s: Fraction | None, warnings: list[str]) -> None:
    """Warn where the header promises pictures that are not there."""
    if not video.pts:
        return
    there_s = (max(video.pts) - min(video.pts)) * video.time_base_s
    if promised_s is not None and promised_s - there_s > max(CUT_OFF_S, float(promised_s) / 100):
        warnings.append(
            f"the file is cut off: it promises {float(promised_s):.1f} s of picture and holds "
            f"{float(there_s):.1f} s; what is there is used"
        )


def _decode_times(path: Path, video: _Track) -> None:
    """Take the times from decoded pictures, for containers whose packets carry none."""
    with opened(path) as container:
        for frame in container.decode(container.streams[video.index]):
            if isinstance(frame, av.VideoFrame) and frame.pts is not None:
                video.pts.append(frame.pts)
                video.end_pts = frame.pts + (frame.duration or 0)


def _source(
    path: Path,
    digest: str | None,
    container: str,
    video: tuple[_Track, av.VideoFrame],
    audio: tuple[_Track | None, av.AudioFrame | None],
    warnings: list[str],
) -> Source:
    track, picture = video
    pts = np.unique(np.asarray(track.pts, dtype=np.int64))
    if len(pts) == 0:
        raise BadInput(f"{path}: its pictures carry no times", "remux it to MP4 or MKV first")
    rate, is_vfr = frame_rate_of(pts, track.time_base_s, track.hints)
    first_s = int(pts[0]) * track.time_base_s
    # The header's own idea of a last picture's length is often wrong: a grid step is what it gets.
    last_s = int(pts[-1]) * track.time_base_s + 1 / rate
    sound_track, sound = audio
    sound_s = _sound_range_s(sound_track, sound)
    zero_s = min(first_s, sound_s[0]) if sound_s else first_s
    stream = _video_stream(path, track, picture, len(pts), (rate, is_vfr))
    stream = replace(stream, start_s=first_s - zero_s, end_s=last_s - zero_s)
    heard = _audio_stream(sound_track, sound, sound_s, zero_s)
    _describe(stream, heard, warnings)
    return Source(
        digest=digest or file_digest(path),
        name=path.name,
        container=container,
        size_bytes=path.stat().st_size,
        duration_s=max(stream.end_s, heard.end_s if heard else Fraction(0)),
        video=stream,
        audio=heard,
        zero_s=zero_s,
        warnings=tuple(warnings),
    )


def _sound_range_s(
    track: _Track | None, sound: av.AudioFrame | None
) -> tuple[Fraction, Fraction] | None:
    if track is None or sound is None or sound.pts is None:
        return None
    start_s = sound.pts * (sound.time_base or track.time_base_s)
    return start_s, max(start_s, track.end_pts * track.time_base_s)


def _video_stream(
    path: Path,
    track: _Track,
    picture: av.VideoFrame,
    frames: int,
    rate: tuple[Fraction, bool],
) -> VideoStream:
    rotation_deg, is_mirrored = orientation(picture)
    if min(picture.width, picture.height) < MIN_SIDE_PX:
        raise BadInput(
            f"{path}: the picture is {picture.width}x{picture.height} pixels",
            f"finecut edits pictures of at least {MIN_SIDE_PX}x{MIN_SIDE_PX}",
        )
    return VideoStream(
        index=track.index,
        codec=track.codec,
        width_px=picture.width,
        height_px=picture.height,
        pixel_format=picture.format.name,
        rate=rate[0],
        is_vfr=rate[1],
        frames=frames,
        start_s=Fraction(0),
        end_s=Fraction(0),
        rotation_deg=rotation_deg,
        is_mirrored=is_mirrored,
        sample_aspect=_sample_aspect(path, track.index),
        color=color_tags(picture),
        is_interlaced=bool(picture.interlaced_frame),
        key_distance_frames=max(1, frames // max(1, len(track.key_pts))),
        seeks=seeks_well(path, track.index, sorted(track.key_pts)),
    )


def _audio_stream(
    track: _Track | None,
    sound: av.AudioFrame | None,
    range_s: tuple[Fraction, Fraction] | None,
    zero_s: Fraction,
) -> AudioStream | None:
    if track is None or sound is None or range_s is None:
        return None
    return AudioStream(
        index=track.index,
        codec=track.codec,
        sample_rate_hz=sound.sample_rate,
        channels=sound.layout.nb_channels,
        start_s=range_s[0] - zero_s,
        end_s=range_s[1] - zero_s,
    )


def _sample_aspect(path: Path, index: int) -> Fraction:
    with opened(path) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(aspect) if aspect and Fraction(1, 20) <= aspect <= 20 else Fraction(1)


def _describe(video: VideoStream, audio: AudioStream | None, warnings: list[str]) -> None:
    """Add a warning for each thing about the footage that is conformed."""
    if video.is_vfr:
        warnings.append(f"variable frame rate: put on a constant grid of {float(video.rate):.3f}")
    if video.color.is_hdr:
        warnings.append("HDR footage: tone-mapped to SDR (BT.709)")
    if video.is_interlaced:
        warnings.append("interlaced footage: deinterlaced, a picture for a picture")
    late_s = float(video.start_s)
    if late_s > 0.1:
        warnings.append(f"the picture starts {late_s:.2f} s late: its first frame is held")
    if audio is not None and float(video.end_s - audio.end_s) > 0.5:
        early_s = float(video.end_s - audio.end_s)
        warnings.append(f"the sound ends {early_s:.2f} s before the picture")
    if not video.seeks:
        warnings.append("seeking in this file is not exact: it is decoded in sequence")
