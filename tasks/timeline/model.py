"""The nouns of an edit, frozen: Source, Clip, Cut, Timeline. Words as OpenTimelineIO uses them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from tasks.timeline.time import FrameGrid


@dataclass(frozen=True, slots=True)
class ColorTags:
    """How the numbers in a picture mean colours (ITU-T H.273 names, as FFmpeg spells them)."""

    range: str = "unknown"
    """``tv`` (limited), ``pc`` (full) or ``unknown``."""
    primaries: str = "unknown"
    transfer: str = "unknown"
    matrix: str = "unknown"

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer is PQ (SMPTE ST 2084) or HLG (ARIB STD-B67)."""
        return self.transfer in ("smpte2084", "arib-std-b67")


@dataclass(frozen=True, slots=True)
class VideoStream:
    """One picture stream of a file, as probed from its packets and its first frames."""

    index: int
    """The stream's index in the container."""
    codec: str
    width_px: int
    """Coded width, before rotation and before the sample aspect ratio is applied."""
    height_px: int
    pixel_format: str
    rate: Fraction
    """Frames per second of the grid that the stream is put on; for variable-rate footage the rate
    of its most common frame interval."""
    is_vfr: bool
    frames: int
    """Pictures that are presented (packets outside an edit list do not count)."""
    start_s: Fraction
    """When the first picture is presented, in source time."""
    end_s: Fraction
    """When the last picture ends, in source time."""
    rotation_deg: int = 0
    """Clockwise degrees to turn the decoded picture for display: 0, 90, 180 or 270."""
    is_mirrored: bool = False
    """Whether the picture is flipped left to right, before it is turned."""
    sample_aspect: Fraction = Fraction(1)
    """Width of a sample over its height (SAR)."""
    color: ColorTags = ColorTags()
    is_interlaced: bool = False
    key_distance_frames: int = 1
    """Mean distance of key frames: what a seek into the middle of a GOP costs, in pictures."""
    seeks: bool = True
    """Whether seeking to a key frame was seen to give the same pictures as decoding in sequence."""


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One sound stream of a file."""

    index: int
    codec: str
    sample_rate_hz: int
    channels: int
    start_s: Fraction
    """When the first sample is presented, in source time."""
    end_s: Fraction


@dataclass(frozen=True, slots=True)
class Source:
    """One file of footage, known by its content; where it lies is no part of it."""

    digest: str
    """BLAKE2b-256 of the file's bytes, as hexadecimal."""
    name: str
    """The file's name, for messages and reports only."""
    container: str
    size_bytes: int
    duration_s: Fraction
    """From the start of the earliest stream to the end of the latest."""
    video: VideoStream | None
    audio: AudioStream | None
    zero_s: Fraction = Fraction(0)
    """The container's timestamp at source time 0: where its earliest stream starts, in seconds."""
    warnings: tuple[str, ...] = ()

    def displayed_size(self) -> tuple[Fraction, Fraction]:
        """Return width and height as displayed: in square pixels, turned upright.

        Raises:
            ValueError: the source has no picture.
        """
        if self.video is None:
            raise ValueError(f"{self.name} has no picture")
        width = self.video.width_px * self.video.sample_aspect
        height = Fraction(self.video.height_px)
        return (height, width) if self.video.rotation_deg in (90, 270) else (width, height)

    def grid(self, rate: Fraction) -> FrameGrid:
        """Return this source's frame grid at a rate, shifted so that its pictures lie on it."""
        start_s = self.video.start_s if self.video else Fraction(0)
        plain = FrameGrid(rate)
        return FrameGrid(rate, start_s - plain.time_of(plain.frame_at(start_s)))


@dataclass(frozen=True, slots=True)
class Clip:
    """A range of one source that stays, in frames of that source's grid: ``[in, out)``."""

    source: int
    """Index into the timeline's sources."""
    source_in: int
    """First frame kept, on the source's grid."""
    source_out: int
    """First frame not kept."""

    def __post_init__(self) -> None:
        if self.source_out <= self.source_in:
            raise ValueError(
                f"a clip must hold a frame (got in {self.source_in}, out {self.source_out})"
            )

    @property
    def frames(self) -> int:
        return self.source_out - self.source_in


@dataclass(frozen=True, slots=True)
class Cut:
    """A range of source time that was taken out, and why."""

    id: str
    """Stable for the same range of the same footage: made of digest and position."""
    source: int
    start_s: float
    end_s: float
    reason: str
    """``silence``, ``leading silence``, ``trailing silence``, …"""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What stays, in order. Clips lie end to end from timeline frame 0."""

    rate: Fraction
    clips: tuple[Clip, ...]

    @property
    def frames(self) -> int:
        """Length in timeline frames."""
        return sum(clip.frames for clip in self.clips)

    @property
    def grid(self) -> FrameGrid:
        return FrameGrid(self.rate)

    def clip_starts(self) -> tuple[int, ...]:
        """Return the timeline frame on which each clip starts, and at last the timeline's end."""
        return (0, *accumulate(clip.frames for clip in self.clips))


@dataclass(frozen=True, slots=True)
class Canvas:
    """The picture that the film is drawn on: square pixels, a constant rate, 4:2:0."""

    width_px: int
    height_px: int
    rate: Fraction
    color: ColorTags
    """Tags of the output; the range is always ``tv``."""

    def share_filled(self, source: Source) -> tuple[float, float]:
        """Return the parts of the canvas's width and height that a source's picture fills."""
        width, height = source.displayed_size()
        scale = min(self.width_px / width, self.height_px / height)
        return (
            min(1.0, float(width * scale / self.width_px)),
            min(1.0, float(height * scale / self.height_px)),
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One thing about a finished file that was measured against the plan."""

    check: str
    ok: bool
    expected: str
    got: str
