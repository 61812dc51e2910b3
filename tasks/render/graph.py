"""One layered filter graph a chunk, compiled with ffmpeg-python into FFmpeg's arguments.

Pictures come in raw over standard input, already chosen, conformed and zoomed. The graph names
their colours, tone-maps HDR, draws the layers that touch the chunk, and hands over to the encoder.
All file names are plain names in the working folder, so nothing needs to be escaped.
"""

from __future__ import annotations

from typing import Any

import ffmpeg

from tasks.layers.subtitles import clock_stretch
from tasks.render.chunks import Chunk
from tasks.render.encoders import SPECS
from tasks.render.plan import Encoding
from tasks.timeline.model import Canvas, ColorTags

SUBTITLE_FILE = "subtitles.ass"
FONT_FOLDER = "fonts"
"""Names in the working folder, which whoever runs the graph has to fill."""

ENDS_FILE = "ends.raw"
"""The small luma of a chunk's first and last picture, written beside the chunk."""

ENDS_SIZE_PX = (64, 36)
"""Their width and height."""

REFERENCE_WHITE_CD_M2 = 203

MIN_TIMESCALE = 10_000
"""The track's clock is a multiple of the frame rate's numerator and at least this fine."""


def track_timescale(canvas: Canvas) -> int:
    """Return ticks a second of the video track: every frame is a whole number of ticks long."""
    scale = canvas.rate.numerator
    while scale < MIN_TIMESCALE:
        scale *= 2
    return scale


def frame_ticks(canvas: Canvas) -> int:
    """Return the length of one frame in ticks of the track's clock."""
    return track_timescale(canvas) * canvas.rate.denominator // canvas.rate.numerator


def chunk_arguments(
    chunk: Chunk, canvas: Canvas, source_color: ColorTags, encoding: Encoding, output: str
) -> list[str]:
    """Return FFmpeg's arguments that draw and encode a chunk.

    Args:
        chunk: what is drawn.
        canvas: size, rate and colour of the output.
        source_color: colours of the pictures that come in, for tone mapping.
        encoding: the encoder's settings.
        output: a plain file name in the working folder; ``.mp4``.
    """
    spec = SPECS[encoding.encoder]
    split = _drawn(chunk, canvas, source_color).split()
    encoded = split[0]
    for name, *values in spec.upload:
        encoded = encoded.filter(name, *values)
    options = _encoder_options(encoding, canvas)
    film = ffmpeg.output(encoded, output, fps_mode="passthrough", **options)
    both = ffmpeg.merge_outputs(film, _ends(split[1], chunk.frames))
    return [*spec.device, *ffmpeg.get_args(both)]


def _ends(drawn: Any, frames: int) -> Any:
    """Return the output of a chunk's first and last picture, small, as the encoder gets them."""
    small = (
        drawn.filter("select", f"eq(n,0)+eq(n,{frames - 1})")
        .filter("scale", *ENDS_SIZE_PX, flags="area")
        .filter("format", "yuv420p")
        .filter("extractplanes", "y")
    )
    options = {"f": "rawvideo", "c:v": "rawvideo"}
    return ffmpeg.output(small, ENDS_FILE, fps_mode="passthrough", **options)


def hash_arguments(chunk: Chunk, canvas: Canvas, source_color: ColorTags, output: str) -> list[str]:
    """Return FFmpeg's arguments that write a hash of each frame that would reach the encoder."""
    drawn = _drawn(chunk, canvas, source_color)
    options = {"f": "framehash", "hash": "sha256", "c:v": "rawvideo"}
    return list(ffmpeg.get_args(ffmpeg.output(drawn, output, fps_mode="passthrough", **options)))


def _drawn(chunk: Chunk, canvas: Canvas, source_color: ColorTags) -> Any:
    stream = ffmpeg.input(
        "pipe:0",
        protocol_whitelist="pipe",
        format="rawvideo",
        pixel_format="yuv420p10le" if chunk.is_tone_mapped else "yuv420p",
        video_size=(canvas.width_px, canvas.height_px),
        framerate=f"{canvas.rate.numerator}/{canvas.rate.denominator}",
    ).video
    stream = _tone_mapped(stream, source_color) if chunk.is_tone_mapped else stream
    stream = _tagged(stream, canvas.color, forgets=chunk.is_tone_mapped)
    return _subtitled(stream, canvas) if chunk.subtitles is not None else stream


def _tagged(stream: Any, color: ColorTags, *, forgets: bool) -> Any:
    """Return a stream with the film's colour tags.

    One that `forgets` loses those that the film does not have: tone mapping leaves some behind, and
    chunks with other tags than their neighbours' do not join.
    """
    parameters = _parameters(color, is_whole=forgets)
    return stream.filter("setparams", **parameters).filter("setsar", 1)


def _parameters(color: ColorTags, *, is_whole: bool = False) -> dict[str, str]:
    named = {
        "range": color.range,
        "color_primaries": color.primaries,
        "color_trc": color.transfer,
        "colorspace": color.matrix,
    }
    return {key: value for key, value in named.items() if is_whole or value != "unknown"}


def _tone_mapped(stream: Any, color: ColorTags) -> Any:
    """Return HDR as SDR: to linear light, BT.709 primaries, a soft shoulder, BT.709.

    203 cd/m² is the reference white of HDR (ITU-R BT.2408, 2.2), which becomes SDR's. The Möbius
    curve leaves what is darker as it is and bends only the highlights (Hable's greys faces);
    desaturation is off because it pales faces that are lit brightly.
    """
    return (
        stream.filter("setparams", **_parameters(color))
        .filter("zscale", t="linear", npl=REFERENCE_WHITE_CD_M2)
        .filter("format", "gbrpf32le")
        .filter("zscale", p="bt709")
        .filter("tonemap", tonemap="mobius", desat=0)
        .filter("zscale", t="bt709", m="bt709", r="tv", dither="none")
        .filter("format", "yuv420p")
    )


def _subtitled(stream: Any, canvas: Canvas) -> Any:
    stretch = clock_stretch(canvas.rate)
    if stretch > 1:
        stream = stream.filter("setpts", f"PTS*{stretch}")
    stream = stream.filter("ass", filename=SUBTITLE_FILE, fontsdir=FONT_FOLDER, shaping="complex")
    return stream.filter("setpts", f"PTS/{stretch}") if stretch > 1 else stream


def _encoder_options(encoding: Encoding, canvas: Canvas) -> dict[str, Any]:
    """Return the output options: closed GOPs, fixed threading, no dates, no version strings."""
    spec = SPECS[encoding.encoder]
    named = {
        "preset": encoding.preset,
        spec.quality_option: f"{encoding.quality:g}",
        "pix_fmt": spec.pixel_format,
        "tag:v": spec.tag,
        **{name: value.format(threads=encoding.threads) for name, value in spec.options},
    }
    return {
        "c:v": encoding.encoder,
        **{name: value for name, value in named.items() if value},
        "g": encoding.key_frames,
        "flags": "+cgop+bitexact",
        "fflags": "+bitexact",
        "map_metadata": -1,
        "video_track_timescale": track_timescale(canvas),
        "f": "mp4",
    }
