"""Every setting: one frozen Pydantic model a step, passed to that step alone.

The same models are the TOML file (``[zoom] max = 1.3``), the ``--set zoom.max=1.3`` keys and the
form in the Prefect UI. Values may carry their unit: ``0.2s``, ``250ms``, ``-35dB``, ``4%``.
What cannot change a result (where models lie, how many workers) is in `Runtime`, never in a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

DEFAULT_POOL = "gpu-render"

NO_RESULT = frozenset({"render.where", "render.pool"})
"""Settings that no result depends on: the film is the same, whoever renders it."""

_NUMBER = r"([+-]?(?:\d+\.?\d*|\.\d+))"


def _with_unit(units: dict[str, float]) -> BeforeValidator:
    """Return a validator that turns ``"250ms"`` into seconds, given what each unit is worth."""

    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(_NUMBER + r"\s*([A-Za-z%]*)", value.strip())
        if match is None or match[2].lower() not in units:
            known = ", ".join(repr(unit) for unit in units if unit)
            raise ValueError(f"{value!r} is not a number with one of the units {known}")
        return float(match[1]) * units[match[2].lower()]

    return BeforeValidator(parse)


@dataclass(frozen=True, slots=True)
class Unit:
    """How a setting's number is written for people."""

    sign: str
    worth: float = 1.0
    """Of one unit, in the number that is kept: 0.01 for a percent."""


Seconds = Annotated[float, _with_unit({"": 1.0, "s": 1.0, "ms": 0.001, "min": 60.0}), Unit("s")]
Decibels = Annotated[float, _with_unit({"": 1.0, "db": 1.0, "dbfs": 1.0}), Unit("dB")]
Share = Annotated[float, _with_unit({"": 1.0, "%": 0.01}), Unit("%", 0.01)]
"""A part of a whole: ``0.04`` or ``4%``."""


class Settings(BaseModel):
    """What all settings share: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False)


class SilenceSettings(Settings):
    """What counts as silence, and how much of it goes."""

    enabled: bool = Field(True, description="Take silences out.")
    threshold_relative: Decibels = Field(
        -28.0,
        ge=-80,
        le=-3,
        description="Quieter than this below the level of the speech is silent, in dB.",
    )
    threshold: Decibels = Field(
        -55.0,
        ge=-120,
        le=-5,
        description="Quieter than this is silent whatever the level of the speech, in dBFS.",
    )
    voice_activity: bool = Field(
        True, description="Ask a voice detector too, so that noise without speech is silence."
    )
    min_silence: Seconds = Field(
        0.5, ge=0.05, le=60, description="Shorter pauses stay, in seconds."
    )
    padding: Seconds = Field(
        0.12,
        ge=0,
        le=5,
        description="Quiet that stays on either side of what is said, in seconds.",
    )
    min_clip: Seconds = Field(
        0.25, ge=0, le=10, description="A sound shorter than this that is no word goes, in seconds."
    )


class Engine(StrEnum):
    """Which program turns speech into text."""

    AUTO = "auto"
    FASTER_WHISPER = "faster-whisper"
    OPENAI_WHISPER = "openai-whisper"


class TranscriptSettings(Settings):
    """How speech becomes text with word times."""

    enabled: bool = Field(True, description="Transcribe; without it there are no subtitles.")
    engine: Engine = Field(
        Engine.AUTO,
        description="faster-whisper, openai-whisper (extra 'whisper'), or auto: the first there.",
    )
    model: str = Field("base", min_length=1, description="Whisper model: tiny.en, base, small, …")
    language: str | None = Field(
        None, pattern=r"^[a-z]{2,3}$", description="Language code (en, de, …); none: detected."
    )
    prompt: str | None = Field(
        None, max_length=1000, description="Names and terms that the speaker uses, as a sentence."
    )
    beam: int = Field(5, ge=1, le=20, description="Beam size: larger is slower, a little better.")
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$", description="auto, cpu or cuda.")
    compute_type: str = Field(
        "auto",
        pattern="^(auto|int8|int8_float16|float16|float32)$",
        description="Arithmetic of faster-whisper; auto: int8 on a CPU, float16 on a GPU.",
    )
    window: Seconds = Field(
        600.0,
        ge=30,
        le=600,
        description="Longest piece that is transcribed at once, cut at pauses, in seconds.",
    )


class FaceSettings(Settings):
    """How the speaker's face is found."""

    enabled: bool = Field(True, description="Look for faces; without them zooms centre the frame.")
    interval: Seconds = Field(
        1.0, ge=0.1, le=30, description="Time between the pictures that are looked at, in seconds."
    )
    min_score: Share = Field(0.5, ge=0.1, le=1, description="Surer than this counts as a face.")


class ZoomSettings(Settings):
    """The breathing zoom: 1 → max → 1 along a half sine, around the speaker's face."""

    enabled: bool = Field(True, description="Zoom at all.")
    max: float = Field(1.15, ge=1.0, le=3.0, description="Factor at the middle of a cycle.")
    period: Seconds = Field(
        6.0,
        ge=1,
        le=120,
        description="Length asked for of one cycle, in seconds; an edit redraws a cycle or two.",
    )
    face_weight: Share = Field(
        0.2,
        ge=0,
        le=0.5,
        description="How far the size of the face may change the depth of the zoom.",
    )


class SubtitleSettings(Settings):
    """Burnt-in subtitles with the spoken word lit, and the files beside the output."""

    enabled: bool = Field(True, description="Draw subtitles into the picture.")
    font: str = Field("Inter", min_length=1, description="Font family; 'Inter' comes with finecut.")
    size: Share = Field(
        0.055, ge=0.01, le=0.3, description="Text height as a part of the picture's shorter side."
    )
    color: str = Field("#FFFFFF", pattern="^#[0-9A-Fa-f]{6}$", description="Colour of the text.")
    highlight: str = Field(
        "#FFD60A", pattern="^#[0-9A-Fa-f]{6}$", description="Colour of the word being spoken."
    )
    outline: str = Field("#000000", pattern="^#[0-9A-Fa-f]{6}$", description="Colour of the edge.")
    bottom: Share = Field(
        0.08, ge=0, le=0.9, description="Distance from the bottom edge, as a part of the height."
    )
    max_chars: int = Field(38, ge=8, le=80, description="Longest line, in characters.")
    max_lines: int = Field(2, ge=1, le=4, description="Most lines at once.")
    max_cps: float = Field(
        20.0, ge=5, le=60, description="Most characters a second that a reader is asked to follow."
    )


class PlacedClip(Settings):
    """One clip of b-roll, and where it goes."""

    file: Path = Field(
        description="The clip; a relative path counts from the settings file it stands in."
    )
    at: Seconds = Field(
        ge=0, description="The moment of the talk at which it appears, in seconds of the footage."
    )
    length: Seconds = Field(gt=0, le=3600, description="How long it is shown, in seconds.")
    start: Seconds = Field(0.0, ge=0, description="Where in the clip it begins, in seconds.")
    source: int = Field(
        0, ge=0, description="Which file of the talk `at` counts in (0 is the first)."
    )


class BrollSettings(Settings):
    """Other footage that fills the picture for a while, over the sound of the talk."""

    enabled: bool = Field(True, description="Show the clips.")
    clips: tuple[PlacedClip, ...] = Field(
        (), description="The clips: file, at, length, and where wanted start and source."
    )
    fade: Seconds = Field(
        0.2, ge=0, le=5, description="How long a clip fades in and out, in seconds."
    )


class SoundSettings(Settings):
    """The sound of the output."""

    track: int | None = Field(
        None, ge=0, description="Which sound track of the footage (0 is the first); none: default."
    )
    crossfade: Seconds = Field(
        0.005, ge=0, le=0.1, description="Length of the cross-fade at each cut, in seconds."
    )
    bitrate: int = Field(192_000, ge=32_000, le=512_000, description="AAC bit rate, in bits/s.")


class Quality(StrEnum):
    """How good the picture is, given once."""

    DRAFT = "draft"
    GOOD = "good"
    BEST = "best"


class Encoder(StrEnum):
    """What encodes the picture, as FFmpeg calls it; auto: hardware where it works, else x264."""

    AUTO = "auto"
    LIBX264 = "libx264"
    LIBX265 = "libx265"
    LIBSVTAV1 = "libsvtav1"
    H264_NVENC = "h264_nvenc"
    HEVC_NVENC = "hevc_nvenc"
    AV1_NVENC = "av1_nvenc"
    H264_QSV = "h264_qsv"
    HEVC_QSV = "hevc_qsv"
    AV1_QSV = "av1_qsv"
    H264_VAAPI = "h264_vaapi"
    HEVC_VAAPI = "hevc_vaapi"
    H264_VIDEOTOOLBOX = "h264_videotoolbox"
    HEVC_VIDEOTOOLBOX = "hevc_videotoolbox"

    @classmethod
    def _missing_(cls, value: object) -> Encoder | None:
        """Return the encoder of a name that people also use."""
        return cls.LIBSVTAV1 if value == "svtav1" else None


Preset = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
"""An encoder's preset: a word, or a number (``8``)."""


class Where(StrEnum):
    """Where chunks are rendered."""

    LOCAL = "local"
    POOL = "pool"


class RenderSettings(Settings):
    """How the picture is encoded, once."""

    encoder: Encoder = Field(
        Encoder.LIBX264,
        description=f"{', '.join(Encoder)}; one that does not work here is replaced, and told of.",
    )
    quality: Quality = Field(Quality.GOOD, description="draft, good or best.")
    crf: float | None = Field(
        None,
        ge=0,
        le=51,
        description="x264 rate factor instead of the quality's own; other encoders get their like.",
    )
    preset: Preset | None = Field(
        None,
        pattern="^[a-z0-9]{1,20}$",
        description="Encoder preset instead of the quality's own (x264, x265: ultrafast … veryslow;"
        " SVT-AV1: 0 … 13; NVENC: p1 … p7; QSV: veryfast … veryslow).",
    )
    frame_rate: str | None = Field(
        None,
        pattern=r"^\d+(\.\d+|/\d+)?$",
        description="Output frame rate (30, 30000/1001); none: that of the first file.",
    )
    height: int | None = Field(
        None, ge=64, le=8640, description="Output height in pixels; none: that of the first file."
    )
    min_chunk: Seconds = Field(
        3.0, ge=0.5, le=600, description="A chunk is at least this long, in seconds."
    )
    max_chunk: Seconds = Field(
        9.0, ge=1, le=3600, description="A chunk is at most this long, in seconds."
    )
    full_check: bool = Field(
        False,
        description="Decode the finished film to its end; else its packets and chunk borders.",
    )
    where: Where = Field(
        Where.LOCAL, description="local: this machine renders; pool: the workers of a work pool."
    )
    pool: str = Field(
        DEFAULT_POOL,
        min_length=1,
        pattern=r"^[^/%&<>\s]+$",
        description="The Prefect work pool that renders where render.where is pool.",
    )


class EditSettings(Settings):
    """All settings of an edit."""

    silence: SilenceSettings = Field(SilenceSettings(), description="Silences.")
    transcript: TranscriptSettings = Field(TranscriptSettings(), description="Speech to text.")
    faces: FaceSettings = Field(FaceSettings(), description="Faces.")
    zoom: ZoomSettings = Field(ZoomSettings(), description="The breathing zoom.")
    subtitles: SubtitleSettings = Field(SubtitleSettings(), description="Subtitles.")
    broll: BrollSettings = Field(BrollSettings(), description="B-roll.")
    sound: SoundSettings = Field(SoundSettings(), description="Sound.")
    render: RenderSettings = Field(RenderSettings(), description="Encoding.")


def names() -> Iterator[tuple[str, BaseModel, str]]:
    """Yield each setting's full name, its group's default values, and its field name."""
    defaults = EditSettings()
    for group in EditSettings.model_fields:
        model = getattr(defaults, group)
        for field in type(model).model_fields:
            yield f"{group}.{field}", model, field


@cache
def units() -> dict[str, Unit]:
    """Return the units of those settings that have one, by full name."""
    return {
        name: mark
        for name, model, field in names()
        for mark in type(model).model_fields[field].metadata
        if isinstance(mark, Unit)
    }
