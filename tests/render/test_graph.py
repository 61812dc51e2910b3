"""The filter graph as text."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from tasks.render.chunks import Chunk
from tasks.render.graph import chunk_arguments, frame_ticks, track_timescale
from tasks.render.plan import Encoding
from tasks.timeline.model import Canvas, Clip, ColorTags

CANVAS = Canvas(1280, 720, Fraction(30000, 1001), ColorTags("tv", "bt709", "bt709", "bt709"))
CHUNK = Chunk(0, (Clip(0, 0, 90),), None, None)
ENCODING = Encoding("libx264", "medium", 20.0, 4, 150)


def graph(chunk: Chunk, canvas: Canvas = CANVAS) -> str:
    arguments = chunk_arguments(chunk, canvas, ColorTags(), ENCODING, "chunk.mp4")
    return arguments[arguments.index("-filter_complex") + 1]


def test_the_arguments_of_a_plain_chunk() -> None:
    arguments = chunk_arguments(CHUNK, CANVAS, ColorTags(), ENCODING, "chunk.mp4")

    assert " ".join(arguments) == (
        "-f rawvideo -video_size 1280x720 -framerate 30000/1001 -pixel_format yuv420p "
        "-protocol_whitelist pipe -i pipe:0 -filter_complex "
        "[0:v]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv[s0];"
        "[s0]setsar=1[s1];[s1]split=2[s2][s3];[s3]select=eq(n\\,0)+eq(n\\,89)[s4];"
        "[s4]scale=64:36:flags=area[s5];[s5]format=yuv420p[s6];[s6]extractplanes=y[s7] "
        "-map [s2] -f mp4 -c:v libx264 -crf 20 -fflags +bitexact "
        "-flags +cgop+bitexact -fps_mode passthrough -g 150 -map_metadata -1 -pix_fmt yuv420p "
        "-preset medium -threads 4 -video_track_timescale 30000 chunk.mp4 "
        "-map [s7] -f rawvideo -c:v rawvideo -fps_mode passthrough ends.raw"
    )


def test_only_layers_that_touch_the_chunk_are_in_its_graph() -> None:
    assert "ass=" not in graph(CHUNK)
    drawn = graph(replace(CHUNK, subtitles="x")).partition(";[s2]split")[0]
    assert drawn.endswith("ass=filename=subtitles.ass:fontsdir=fonts:shaping=complex[s2]")


def test_hdr_is_tone_mapped_before_the_subtitles() -> None:
    text = graph(replace(CHUNK, subtitles="x", is_tone_mapped=True))

    assert text.index("tonemap") < text.index("ass=")


def test_fast_films_draw_subtitles_on_a_slowed_clock() -> None:
    text = graph(replace(CHUNK, subtitles="x"), replace(CANVAS, rate=Fraction(120)))

    assert text.index("setpts=PTS*2") < text.index("ass=") < text.index("setpts=PTS/2")


@pytest.mark.parametrize("rate", ["30", "30000/1001", "25", "60000/1001", "25/2", "24000/1001"])
def test_a_frame_is_a_whole_number_of_ticks(rate: str) -> None:
    canvas = replace(CANVAS, rate=Fraction(rate))

    assert Fraction(frame_ticks(canvas), track_timescale(canvas)) == 1 / Fraction(rate)
    assert track_timescale(canvas) >= 10_000
