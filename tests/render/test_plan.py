"""The plan: canvas, rate, encoder and sound, from footage and settings."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from tasks.errors import BadSettings
from tasks.layers.broll import BrollLayer, BrollWindow
from tasks.render.plan import (
    RenderPlan,
    canvas_for,
    encoding_for,
    output_rate,
    preview,
    sound_for,
)
from tasks.render.report import plan_document
from tasks.settings import Quality, RenderSettings, SoundSettings
from tasks.timeline.document import from_document
from tasks.timeline.model import Clip, ColorTags
from tests.builders import made_up_source, render_plan


def test_the_first_source_sets_size_and_rate() -> None:
    sources = [made_up_source(rate=Fraction(30000, 1001)), made_up_source("cd" * 32)]

    canvas = canvas_for(sources, RenderSettings())

    assert (canvas.width_px, canvas.height_px, canvas.rate) == (640, 360, Fraction(30000, 1001))


def test_a_turned_source_makes_an_upright_canvas() -> None:
    canvas = canvas_for([made_up_source(rotation_deg=90)], RenderSettings())

    assert (canvas.width_px, canvas.height_px) == (360, 640)


@pytest.mark.parametrize("height", [64, 101, 333, 720])
def test_sides_are_even_and_never_larger_than_asked_for(height: int) -> None:
    canvas = canvas_for(
        [made_up_source(sample_aspect=Fraction(1137, 800))], RenderSettings(height=height)
    )

    assert canvas.width_px % 2 == canvas.height_px % 2 == 0
    assert height - 2 < canvas.height_px <= height


@pytest.mark.parametrize(
    ("asked", "rate"),
    [("30", "30"), ("29.97", "30000/1001"), ("30000/1001", "30000/1001"), ("23.976", "24000/1001")],
)
def test_a_rate_asked_for_means_the_standard_one(asked: str, rate: str) -> None:
    assert output_rate([made_up_source()], RenderSettings(frame_rate=asked)) == Fraction(rate)


@pytest.mark.parametrize("asked", ["0", "0.5", "241", "30/0"])
def test_a_rate_that_cannot_be_is_refused(asked: str) -> None:
    with pytest.raises(BadSettings, match=r"render\.frame_rate"):
        output_rate([made_up_source()], RenderSettings(frame_rate=asked))


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_becomes_bt709(transfer: str) -> None:
    color = ColorTags("tv", "bt2020", transfer, "bt2020nc")

    canvas = canvas_for([made_up_source(color=color)], RenderSettings())

    assert canvas.color == ColorTags("tv", "bt709", "bt709", "bt709")


def test_sdr_keeps_its_colours_in_limited_range() -> None:
    color = ColorTags("pc", "smpte170m", "smpte170m", "smpte170m")

    canvas = canvas_for([made_up_source(color=color)], RenderSettings())

    assert canvas.color == replace(color, range="tv")


def test_better_qualities_have_lower_rate_factors() -> None:
    found = [
        encoding_for(RenderSettings(quality=quality), Fraction(30000, 1001)) for quality in Quality
    ]

    assert [each.preset for each in found] == ["veryfast", "medium", "slow"]
    assert found[0].quality > found[1].quality > found[2].quality
    assert {each.key_frames for each in found} == {150}
    own = encoding_for(RenderSettings(preset="fast", crf=0), Fraction(25))
    assert (own.preset, own.quality) == ("fast", 0)


def test_a_preview_is_small_and_fast_and_never_enlarges() -> None:
    assert preview(RenderSettings(crf=10)).height == 360
    assert preview(RenderSettings(height=240)).height == 240
    assert encoding_for(preview(RenderSettings(crf=10)), Fraction(25)).quality > 20


def test_sound_has_two_channels_at_most_and_none_where_there_is_none() -> None:
    loud = made_up_source()
    assert loud.audio is not None
    surround = replace(loud, audio=replace(loud.audio, channels=6))
    single = replace(loud, audio=replace(loud.audio, channels=1))

    channels = [sound_for([s], SoundSettings()) for s in (surround, single)]

    assert [each.channels for each in channels if each] == [2, 1]
    assert sound_for([replace(loud, audio=None)], SoundSettings()) is None


def test_a_plan_survives_being_written_down() -> None:
    plan = render_plan(
        [made_up_source(rate=Fraction(30000, 1001))],
        [Clip(0, 3, 99)],
        assets=(made_up_source("cd" * 32),),
        broll=BrollLayer((BrollWindow(10, 40, 0, 5, 6), BrollWindow(40, 60, 0, 80))),
    )

    document = plan_document(plan)

    assert document["schema"] == "finecut/RenderPlan.1"
    assert from_document(RenderPlan, document) == plan
