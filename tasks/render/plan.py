"""The render plan: what every frame and sample of the film is made of, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tasks.errors import BadSettings
from tasks.layers.subtitles import SubtitleLayer
from tasks.layers.zoom import ZoomLayer
from tasks.settings import EditSettings, Quality, RenderSettings, SoundSettings
from tasks.timeline.model import Canvas, ColorTags, Cut, Source, Timeline
from tasks.timeline.time import snapped_rate

SAMPLE_RATE_HZ = 48_000
"""Sample rate of the output: what every player and every video site takes as it is."""

ENCODER_THREADS = 4
"""Fixed, for x264's output depends on it; more would help machines of many cores only, and those
render several chunks at once."""

KEY_FRAME_S = 5
"""A key frame at least this often, so that players seek quickly."""

QUALITIES = {
    Quality.DRAFT: ("veryfast", 26.0),
    Quality.GOOD: ("medium", 20.0),
    Quality.BEST: ("slow", 17.0),
}
"""x264 preset and rate factor. Good measured VMAF 96.7 on 720p footage; veryfast at the same rate
factor 93.8 for half the time."""

PREVIEW_HEIGHT_PX = 360


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the picture is encoded, once."""

    encoder: str
    preset: str
    crf: float
    threads: int
    key_frames: int
    """Most frames between two key frames."""


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """How the sound is rendered and encoded, once."""

    sample_rate_hz: int
    channels: int
    bitrate_bps: int
    crossfade_s: float


@dataclass(frozen=True, slots=True)
class RenderPlan:
    """Everything that the renderer needs besides the footage itself, which is found by digest."""

    sources: tuple[Source, ...]
    canvas: Canvas
    timeline: Timeline
    cuts: tuple[Cut, ...]
    zoom: ZoomLayer | None
    subtitles: SubtitleLayer | None
    sound: SoundPlan | None
    encoding: Encoding
    min_chunk_frames: int
    max_chunk_frames: int


def output_rate(sources: Sequence[Source], settings: RenderSettings) -> Fraction:
    """Return the film's frame rate: the one asked for, else that of the first source."""
    if settings.frame_rate is not None:
        try:
            asked = Fraction(settings.frame_rate)
        except ZeroDivisionError as error:
            raise BadSettings("render.frame_rate divides by 0", "write 30 or 30000/1001") from error
        if not 1 <= asked <= 240:
            raise BadSettings(
                f"render.frame_rate is {settings.frame_rate}", "give 1 to 240 frames per second"
            )
        return snapped_rate(asked)
    video = sources[0].video
    assert video is not None
    return video.rate


def canvas_for(sources: Sequence[Source], settings: RenderSettings) -> Canvas:
    """Return the canvas: the first source's displayed picture, with even sides."""
    width, height = sources[0].displayed_size()
    scale = Fraction(settings.height) / height if settings.height else Fraction(1)
    video = sources[0].video
    assert video is not None
    is_converted = video.color.is_hdr or video.pixel_format.startswith(("rgb", "bgr", "gbr", "pal"))
    color = ColorTags("tv", "bt709", "bt709", "bt709") if is_converted else video.color
    return Canvas(
        width_px=max(2, math.floor(width * scale / 2) * 2),
        height_px=max(2, math.floor(height * scale / 2) * 2),
        rate=output_rate(sources, settings),
        color=ColorTags("tv", color.primaries, color.transfer, color.matrix),
    )


def encoding_for(settings: RenderSettings, rate: Fraction) -> Encoding:
    """Return the encoder's settings for the quality asked for."""
    preset, crf = QUALITIES[settings.quality]
    return Encoding(
        encoder="libx264",
        preset=settings.preset or preset,
        crf=crf if settings.crf is None else settings.crf,
        threads=ENCODER_THREADS,
        key_frames=max(1, round(KEY_FRAME_S * rate)),
    )


def sound_for(sources: Sequence[Source], settings: SoundSettings) -> SoundPlan | None:
    """Return how the sound is rendered; none where no source has sound."""
    channels = [source.audio.channels for source in sources if source.audio is not None]
    if not channels:
        return None
    return SoundPlan(SAMPLE_RATE_HZ, min(2, max(channels)), settings.bitrate, settings.crossfade)


def preview(settings: RenderSettings) -> RenderSettings:
    """Return the settings of a preview: small and fast."""
    return settings.model_copy(
        update={
            "quality": Quality.DRAFT,
            "preset": "ultrafast",
            "crf": None,
            "height": min(settings.height or PREVIEW_HEIGHT_PX, PREVIEW_HEIGHT_PX),
        }
    )


def settings_of(settings: EditSettings, *, is_preview: bool) -> EditSettings:
    """Return the settings that an edit is made with."""
    if not is_preview:
        return settings
    return settings.model_copy(update={"render": preview(settings.render)})
