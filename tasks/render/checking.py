"""A plan that somebody may have edited by hand: refused, with the field named, before any work."""

from __future__ import annotations

import re
from collections.abc import Collection
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tasks.errors import BadInput
from tasks.layers.broll import MAX_ASPECT, BrollLayer, asset_frames, fills_a_picture
from tasks.layers.subtitles import SubtitleLayer
from tasks.layers.wording import clean_text
from tasks.layers.zoom import ZoomLayer
from tasks.render.encoders import SPECS
from tasks.render.plan import RenderPlan
from tasks.timeline.document import from_document
from tasks.timeline.model import ColorTags, Source

AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates that every AAC decoder takes (ISO/IEC 14496-3, table 1.18) and speech needs."""

MAX_SIDE_PX = 16384
"""Largest picture of H.264 as x264 writes it."""

MAX_FRAMES = 10_000_000
"""A day at 120 frames a second; a number above it is a slip of the pen."""

MAX_SECONDS = 1_000_000
"""More than eleven days."""

_COLOR_NAME = re.compile(r"[a-z0-9-]{1,20}")
_RGB = re.compile(r"#[0-9A-Fa-f]{6}")


def plan_from(document: Any) -> RenderPlan:
    """Return the plan that a document holds.

    Raises:
        BadInput: a field is missing, of a wrong type, or says what cannot be rendered.
    """
    try:
        plan = from_document(RenderPlan, document)
        _check_sources(plan)
        _check_canvas(plan)
        _check_timeline(plan)
        _check_encoding(plan)
        if plan.zoom is not None:
            _check_zoom(plan.zoom, plan.timeline.frames)
        if plan.subtitles is not None:
            _check_subtitles(plan.subtitles, plan)
        if plan.broll is not None:
            _check_broll(plan.broll, plan)
    except (ZeroDivisionError, OverflowError) as error:
        raise BadInput(
            f"the plan holds a number that is none: {error}", "make the plan again"
        ) from error
    return plan


def _bad(field: str, value: object, expected: str) -> BadInput:
    return BadInput(f"the plan's {field} is {value!r:.80}: it must be {expected}", "mend the plan")


def _within(
    field: str, value: float | Fraction, low: float | Fraction, high: float | Fraction
) -> None:
    # NaN is within nothing.
    if not low <= value <= high:
        shown = str(value) if isinstance(value, Fraction) else value
        raise _bad(field, shown, f"within {float(low):g} and {float(high):g}")


def _one_of(field: str, value: object, known: Collection[object]) -> None:
    if value not in known:
        raise _bad(field, value, f"one of {', '.join(str(name) or repr(name) for name in known)}")


def _check_colors(field: str, color: ColorTags) -> None:
    _one_of(f"{field}.range", color.range, ("tv", "pc", "unknown"))
    for name in ("primaries", "transfer", "matrix"):
        if not _COLOR_NAME.fullmatch(getattr(color, name)):
            raise _bad(f"{field}.{name}", getattr(color, name), "a name as FFmpeg spells it")


def _check_sources(plan: RenderPlan) -> None:
    if not plan.sources:
        raise _bad("sources", [], "a list of at least one file")
    for number, source in enumerate(plan.sources):
        _check_source(f"sources.{number}", source)
    for number, asset in enumerate(plan.assets):
        _check_source(f"assets.{number}", asset)
        if not fills_a_picture(asset):
            raise _bad(
                f"assets.{number}", asset.name, f"at most {MAX_ASPECT} times as long as wide"
            )
    for files in (plan.sources, plan.assets):
        known: dict[str, Source] = {}
        for source in files:
            same = known.setdefault(source.digest, source)
            if (source.video, source.audio, source.zero_s) != (same.video, same.audio, same.zero_s):
                raise _bad("sources", source.name, "the same wherever the file is named")


def _check_source(field: str, source: Source) -> None:
    video, audio = source.video, source.audio
    if video is None:
        raise _bad(f"{field}.video", None, "a picture stream")
    _within(f"{field}.duration_s", source.duration_s, 0, MAX_SECONDS)
    _within(f"{field}.zero_s", source.zero_s, -MAX_SECONDS, MAX_SECONDS)
    _within(f"{field}.video.rate", video.rate, Fraction(1, 1000), 1000)
    _within(f"{field}.video.end_s", video.end_s, video.start_s, source.duration_s + 1)
    _within(f"{field}.video.index", video.index, 0, 1000)
    _within(f"{field}.video.width_px", video.width_px, 1, MAX_SIDE_PX)
    _within(f"{field}.video.height_px", video.height_px, 1, MAX_SIDE_PX)
    _within(f"{field}.video.sample_aspect", video.sample_aspect, 1 / 20, 20)
    _within(f"{field}.video.key_distance_frames", video.key_distance_frames, 1, MAX_FRAMES)
    _within(f"{field}.video.start_s", video.start_s, 0, float(source.duration_s))
    _one_of(f"{field}.video.rotation_deg", video.rotation_deg, (0, 90, 180, 270))
    _check_colors(f"{field}.video.color", video.color)
    if audio is not None:
        _within(f"{field}.audio.index", audio.index, 0, 1000)
        _within(f"{field}.audio.sample_rate_hz", audio.sample_rate_hz, 1000, 768_000)
        _within(f"{field}.audio.channels", audio.channels, 1, 64)
        _within(f"{field}.audio.start_s", audio.start_s, 0, source.duration_s + 1)
        _within(f"{field}.audio.end_s", audio.end_s, audio.start_s, source.duration_s + 1)


def _check_canvas(plan: RenderPlan) -> None:
    canvas = plan.canvas
    for side in ("width_px", "height_px"):
        value = getattr(canvas, side)
        _within(f"canvas.{side}", value, 2, MAX_SIDE_PX)
        if value % 2:
            raise _bad(f"canvas.{side}", value, "even")
    _within("canvas.rate", canvas.rate, 1, 240)
    if plan.timeline.rate != canvas.rate:
        raise _bad("timeline.rate", str(plan.timeline.rate), f"the canvas's ({canvas.rate})")
    _check_colors("canvas.color", canvas.color)


def _check_timeline(plan: RenderPlan) -> None:
    clips, rate = plan.timeline.clips, plan.timeline.rate
    if not clips:
        raise _bad("timeline.clips", [], "a list of at least one clip")
    for number, clip in enumerate(clips):
        field = f"timeline.clips.{number}"
        _within(f"{field}.source", clip.source, 0, len(plan.sources) - 1)
        source = plan.sources[clip.source]
        _within(f"{field}.source_in", clip.source_in, 0, MAX_FRAMES)
        end = source.grid(rate).frame_at(source.duration_s) + 1
        _within(f"{field}.source_out", clip.source_out, 1, end)
    _within("timeline.frames", plan.timeline.frames, 0, MAX_FRAMES)
    for number, cut in enumerate(plan.cuts):
        _within(f"cuts.{number}.source", cut.source, 0, len(plan.sources) - 1)
        _within(f"cuts.{number}.start_s", cut.start_s, 0, MAX_FRAMES)
        _within(f"cuts.{number}.end_s", cut.end_s, cut.start_s, MAX_FRAMES)


def _check_encoding(plan: RenderPlan) -> None:
    encoding, sound = plan.encoding, plan.sound
    _one_of("encoding.encoder", encoding.encoder, SPECS)
    spec = SPECS[encoding.encoder]
    _one_of("encoding.preset", encoding.preset, spec.presets or ("",))
    _within("encoding.quality", encoding.quality, *spec.bounds)
    if spec.is_whole and encoding.quality % 1:
        raise _bad("encoding.quality", encoding.quality, "a whole number")
    _within("encoding.threads", encoding.threads, 1, 64)
    _within("encoding.key_frames", encoding.key_frames, 1, 10_000)
    _within("min_chunk_frames", plan.min_chunk_frames, 1, MAX_FRAMES)
    _within("max_chunk_frames", plan.max_chunk_frames, 3, MAX_FRAMES)
    if sound is not None:
        _one_of("sound.sample_rate_hz", sound.sample_rate_hz, AAC_RATES_HZ)
        _within("sound.channels", sound.channels, 1, 2)
        _within("sound.bitrate_bps", sound.bitrate_bps, 8000, 512_000)
        _within("sound.crossfade_s", sound.crossfade_s, 0, 0.1)


def _check_zoom(zoom: ZoomLayer, frames: int) -> None:
    at = 0
    for number, span in enumerate(zoom.spans):
        field = f"zoom.spans.{number}"
        _within(f"{field}.start_frame", span.start_frame, at, at)
        _within(f"{field}.end_frame", span.end_frame, at + 1, frames)
        _within(f"{field}.cycles", span.cycles, 0, span.end_frame - at)
        _within(f"{field}.max_factor", span.max_factor, 1, 10)
        at = span.end_frame
    for number, point in enumerate(zoom.focus):
        _within(f"zoom.focus.{number}.frame", point.frame, 0, frames)
        _within(f"zoom.focus.{number}.x", point.x, 0, 1)
        _within(f"zoom.focus.{number}.y", point.y, 0, 1)
    for number, (before, after) in enumerate(pairwise(zoom.focus), start=1):
        _within(f"zoom.focus.{number}.frame", after.frame, before.frame, frames)


def _check_subtitles(layer: SubtitleLayer, plan: RenderPlan) -> None:
    style, frames = layer.style, plan.timeline.frames
    for name in ("color", "highlight", "outline"):
        if not _RGB.fullmatch(getattr(style, name)):
            raise _bad(f"subtitles.style.{name}", getattr(style, name), "a colour as #RRGGBB")
    for name in ("size_px", "outline_px", "shadow_px", "blur_px", "side_px", "bottom_px"):
        _within(f"subtitles.style.{name}", getattr(style, name), 0, plan.canvas.height_px * 2)
    at = 0
    for number, cue in enumerate(layer.cues):
        field = f"subtitles.cues.{number}"
        _within(f"{field}.start_frame", cue.start_frame, at, frames)
        _within(f"{field}.end_frame", cue.end_frame, cue.start_frame + 1, frames)
        _within(f"{field}.scale_percent", cue.scale_percent, 1, 100)
        at = cue.end_frame
        heard = cue.start_frame
        for word in cue.words:
            if not word.text or clean_text(word.text) != word.text:
                raise _bad(f"{field}.words.text", word.text, "text without control signs")
            _within(f"{field}.words.start_frame", word.start_frame, heard, MAX_FRAMES)
            _within(f"{field}.words.end_frame", word.end_frame, word.start_frame, MAX_FRAMES)
            heard = word.start_frame


def _check_broll(layer: BrollLayer, plan: RenderPlan) -> None:
    at = 0
    for number, window in enumerate(layer.windows):
        field = f"broll.windows.{number}"
        _within(f"{field}.start_frame", window.start_frame, at, plan.timeline.frames - 1)
        _within(
            f"{field}.end_frame", window.end_frame, window.start_frame + 1, plan.timeline.frames
        )
        _within(f"{field}.asset", window.asset, 0, len(plan.assets) - 1)
        there = asset_frames(plan.assets[window.asset], plan.timeline.rate)
        _within(f"{field}.asset_in", window.asset_in, 0, there - 1)
        last = window.start_frame + there - window.asset_in
        _within(f"{field}.end_frame", window.end_frame, window.start_frame + 1, last)
        _within(f"{field}.fade_frames", window.fade_frames, 0, window.frames // 2)
        at = window.end_frame
