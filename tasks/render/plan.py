"""The render plan: what every frame and sample of the film is made of, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tasks.errors import BadSettings
from tasks.layers.broll import BrollLayer
from tasks.layers.subtitles import SubtitleLayer
from tasks.layers.zoom import ZoomLayer
from tasks.render.encoders import SPECS, check_container, moved, own_quality
from tasks.settings import EditSettings, Encoder, Quality, RenderSettings, SoundSettings
from tasks.timeline.model import Canvas, ColorTags, Cut, Source, Timeline
from tasks.timeline.time import snapped_rate

SAMPLE_RATE_HZ = 48_000
"""Sample rate of the output: what every player and every video site takes as it is."""

ENCODER_THREADS = 4
"""Fixed, for what a software encoder writes depends on it; more would help machines of many cores
only, and those render several chunks at once."""

KEY_FRAME_S = 5
"""A key frame at least this often, so that players seek quickly."""

PREVIEW_HEIGHT_PX = 360


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the picture is encoded, once."""

    encoder: str
    """As FFmpeg calls it."""
    preset: str
    """One of the encoder's own; empty where it has none."""
    quality: float
    """On the encoder's own scale: what x264 takes as ``-crf``, NVENC as ``-cq``."""
    threads: int
    """Of a software encoder."""
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
    assets: tuple[Source, ...] = ()
    """What the b-roll shows; found by digest as the sources are."""
    broll: BrollLayer | None = None


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


def encoding_for(
    settings: RenderSettings, rate: Fraction, encoder: Encoder | None = None
) -> Encoding:
    """Return the encoder's settings for the quality asked for.

    Args:
        settings: what was asked for.
        rate: frames a second.
        encoder: the one that was chosen; none: the one asked for.

    Raises:
        BadSettings: the encoder asked for does not know the preset.
    """
    check_preset(settings)
    asked = _named(settings)
    rung = SPECS[asked].rung(settings.quality)
    encoding = Encoding(
        encoder=str(asked),
        preset=settings.preset or rung.preset,
        quality=rung.quality if settings.crf is None else own_quality(asked, settings.crf),
        threads=ENCODER_THREADS,
        key_frames=max(1, round(KEY_FRAME_S * rate)),
    )
    return encoding_with(encoding, encoder or asked)


def encoding_with(encoding: Encoding, encoder: Encoder) -> Encoding:
    """Return an encoding with another encoder: the same picture at a like speed."""
    if encoder == encoding.encoder:
        return encoding
    rung = moved(encoding.encoder, encoding.preset, encoding.quality, encoder)
    return replace(encoding, encoder=str(encoder), preset=rung.preset, quality=rung.quality)


def check_preset(settings: RenderSettings) -> None:
    """See that the encoder asked for knows the preset asked for.

    Raises:
        BadSettings: it does not.
    """
    asked = _named(settings)
    known = SPECS[asked].presets
    if settings.preset is None or settings.preset in known:
        return
    hint = f"give one of {', '.join(known)}, or none" if known else "it has none: leave it out"
    raise BadSettings(
        f"render.preset is {settings.preset!r}, which render.encoder {asked} does not know", hint
    )


def _named(settings: RenderSettings) -> Encoder:
    """Return the encoder that presets are named after: x264 where any may be chosen."""
    return Encoder.LIBX264 if settings.encoder is Encoder.AUTO else settings.encoder


def sound_for(sources: Sequence[Source], settings: SoundSettings) -> SoundPlan | None:
    """Return how the sound is rendered; none where no source has sound."""
    channels = [source.audio.channels for source in sources if source.audio is not None]
    if not channels:
        return None
    return SoundPlan(SAMPLE_RATE_HZ, min(2, max(channels)), settings.bitrate, settings.crossfade)


def preview(settings: RenderSettings) -> RenderSettings:
    """Return the settings of a preview: small and fast, which no encoder is as x264."""
    return settings.model_copy(
        update={
            "encoder": Encoder.LIBX264,
            "quality": Quality.DRAFT,
            "preset": "ultrafast",
            "crf": None,
            "height": min(settings.height or PREVIEW_HEIGHT_PX, PREVIEW_HEIGHT_PX),
        }
    )


def settings_of(settings: EditSettings, *, is_preview: bool, suffix: str = "") -> EditSettings:
    """Return the settings that an edit is made with.

    Args:
        settings: what was asked for.
        is_preview: whether it is small and fast instead.
        suffix: of the film; empty where none is made.

    Raises:
        BadSettings: they do not go together.
    """
    if not is_preview:
        check_preset(settings.render)
        check_container(_named(settings.render), suffix)
        return settings
    return settings.model_copy(update={"render": preview(settings.render)})
