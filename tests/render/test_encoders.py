"""The table of encoders: what each is given for the same quality, as text."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import BadSettings
from tasks.render.chunks import Chunk
from tasks.render.encoders import (
    AUTO_ORDER,
    SPECS,
    chosen,
    moved,
    own_quality,
    x264_quality,
)
from tasks.render.graph import chunk_arguments
from tasks.render.plan import encoding_for, encoding_with, settings_of
from tasks.settings import EditSettings, Encoder, Quality, RenderSettings
from tasks.timeline.model import Canvas, Clip, ColorTags

GOLDEN = Path(__file__).parents[1] / "golden" / "encoders.txt"
RATE = Fraction(25)
HD = ColorTags("tv", "bt709", "bt709", "bt709")
CANVAS = Canvas(1280, 720, RATE, HD)
NAMES = [Encoder(name) for name in SPECS]


def command(encoder: Encoder, quality: Quality) -> str:
    encoding = encoding_for(RenderSettings(encoder=encoder, quality=quality), RATE)
    chunk = Chunk(0, (Clip(0, 0, 90),), None, None)
    return " ".join(chunk_arguments(chunk, CANVAS, HD, encoding, "chunk.mp4"))


def test_every_encoder_that_can_be_asked_for_is_in_the_table() -> None:
    assert set(NAMES) == set(Encoder) - {Encoder.AUTO}


def test_command_lines_are_as_agreed_on() -> None:
    """A change here changes films: raise the version of the step `chunk` with it."""
    lines = [command(encoder, quality) for encoder in NAMES for quality in Quality]
    text = "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize("encoder", NAMES)
def test_a_spec_keeps_within_itself(encoder: Encoder) -> None:
    spec = SPECS[encoder]
    low, high = spec.bounds

    for rung in spec.rungs:
        assert rung.preset in (spec.presets or ("",))
        assert low <= rung.quality <= high
        assert not (spec.is_whole and rung.quality % 1)
    assert spec.is_software == (spec.sessions is None)
    assert (spec.tag == "hvc1") == (spec.codec == "hevc")
    assert spec.stand_in is None or SPECS[spec.stand_in].is_software


@given(st.sampled_from(NAMES), st.floats(0, 51), st.floats(0, 51))
def test_a_better_rate_factor_is_never_worse_on_another_scale(
    encoder: Encoder, one: float, other: float
) -> None:
    better, worse = sorted((one, other))
    sign = -1 if encoder.endswith("videotoolbox") else 1

    assert sign * own_quality(encoder, better) <= sign * own_quality(encoder, worse)
    low, high = SPECS[encoder].bounds
    assert low <= own_quality(encoder, one) <= high


@pytest.mark.parametrize("encoder", NAMES)
def test_scales_lead_back(encoder: Encoder) -> None:
    for crf in (12, 17, 20, 23, 26, 30):
        assert x264_quality(encoder, own_quality(encoder, crf)) == pytest.approx(crf, abs=1)


def test_a_rate_factor_means_the_same_picture() -> None:
    own = {name: own_quality(name, 20) for name in NAMES}

    assert own[Encoder.LIBX264] == 20
    assert own[Encoder.LIBX265] == 21.6
    assert own[Encoder.LIBSVTAV1] == 30
    assert own[Encoder.AV1_NVENC] == pytest.approx(25.3, abs=0.1)
    assert own[Encoder.H264_VIDEOTOOLBOX] > own_quality(Encoder.H264_VIDEOTOOLBOX, 26)


@pytest.mark.parametrize("encoder", NAMES)
@pytest.mark.parametrize("quality", Quality)
def test_a_quality_stays_itself_on_another_encoder(encoder: Encoder, quality: Quality) -> None:
    asked = encoding_for(RenderSettings(encoder=encoder, quality=quality), RATE)

    for other in NAMES:
        there = encoding_with(asked, other)
        assert there.quality == SPECS[other].rung(quality).quality
        if SPECS[encoder].presets:
            assert there.preset == SPECS[other].rung(quality).preset


def test_a_preset_of_ones_own_becomes_the_nearest() -> None:
    assert moved("libx265", "slower", 22.0, "libx264").preset == "slower"
    assert moved("h264_nvenc", "p1", 20.0, "libx264").preset == "veryfast"
    assert moved("libx264", "ultrafast", 20.0, "h264_nvenc").preset == "p2"
    assert moved("av1_nvenc", "p7", 40.0, "libsvtav1").preset == "6"


@pytest.mark.parametrize(
    ("encoder", "preset"),
    [("libsvtav1", "medium"), ("h264_nvenc", "veryfast"), ("libx264", "p4"), ("auto", "p4")],
)
def test_a_preset_that_the_encoder_does_not_know_is_refused(encoder: str, preset: str) -> None:
    settings = EditSettings(render=RenderSettings(encoder=encoder, preset=preset))

    with pytest.raises(BadSettings, match=r"render\.preset") as caught:
        settings_of(settings, is_preview=False)
    assert "give one of" in caught.value.hint
    assert settings_of(settings, is_preview=True).render.encoder is Encoder.LIBX264


def test_an_encoder_without_presets_says_so() -> None:
    settings = RenderSettings(encoder="h264_vaapi", preset="fast")

    with pytest.raises(BadSettings) as caught:
        encoding_for(settings, RATE)
    assert "has none" in caught.value.hint


def test_names_and_numbers_as_people_write_them() -> None:
    settings = RenderSettings.model_validate({"encoder": "svtav1", "preset": 8})

    assert settings.encoder is Encoder.LIBSVTAV1
    assert settings.preset == "8"


def test_av1_goes_into_no_mov() -> None:
    settings = EditSettings(render=RenderSettings(encoder="av1_nvenc"))

    with pytest.raises(BadSettings, match=r"\.mov"):
        settings_of(settings, is_preview=False, suffix=".MOV")
    settings_of(settings, is_preview=False, suffix=".mp4")


def works(*names: str):
    return lambda encoder: "" if encoder in names else f"no {encoder}"


def test_auto_takes_the_first_that_works_and_says_nothing() -> None:
    for number, encoder in enumerate(AUTO_ORDER):
        choice = chosen(Encoder.AUTO, works(*AUTO_ORDER[number:]))
        assert (choice.encoder, choice.warnings) == (encoder, ())
    assert chosen(Encoder.AUTO, works()).encoder is Encoder.LIBX264


@pytest.mark.parametrize("asked", NAMES)
def test_what_does_not_work_is_replaced_in_its_own_codec_with_a_reason(asked: Encoder) -> None:
    software = works("libx264", "libx265", "libsvtav1")

    choice = chosen(asked, software)

    assert SPECS[choice.encoder].codec == SPECS[asked].codec
    assert SPECS[choice.encoder].is_software
    assert len(choice.warnings) == (0 if SPECS[asked].is_software else 1)
    assert all(f"no {asked}" in text for text in choice.warnings)


def test_x264_is_what_is_left() -> None:
    choice = chosen(Encoder.HEVC_QSV, works())

    assert choice.encoder is Encoder.LIBX264
    assert len(choice.warnings) == 2
