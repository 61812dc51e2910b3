"""Subtitles: the layer, and the ASS, SRT and WebVTT documents made of it.

The drawn picture depends on nothing but which frame it is: every state of a cue (which word is
lit) is an ASS event of its own, without animation, with its times in mid-frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil

import pysubs2

from tasks.layers.cues import Cue, TimelineWord, line_text, spaced
from tasks.layers.phrasing import cues_from_words
from tasks.layers.wording import clean_text
from tasks.settings import SubtitleSettings
from tasks.timeline.time import FrameGrid, round_half_up

TITLE_SAFE = 0.9
"""The part of the width that text stays within (SMPTE ST 2046-1: title-safe area 90 %)."""

LINE_HEIGHT_EM = 1.21
"""ASS counts a font's size from ascender to descender; Inter's are 2478 units of a 2048 em."""

OUTLINE_EM, SHADOW_OFFSET_EM, SHADOW_BLUR_EM = 0.075, 0.05, 0.09
"""Edge, shadow offset and shadow softness as parts of the text size."""

SHADOW_ALPHA = "&H50&"
"""Transparency of the shadow as ASS writes it: 0x50 of 0xFF, about a third."""

HOLD_S = 0.25
"""A word stays lit until the next one begins, for this long behind its own end at most: the light
neither blinks in the gaps of fluent speech nor claims that a word is spoken in a pause."""

MAX_CLOCK = 60
"""ASS counts centiseconds: up to this many frames a second, one lies surely inside each mid-frame
window (half a frame, less 5 ms of rounding and 1 ms that FFmpeg truncates)."""

_WORD_JOINER = "\u2060"

_APART = ("&H000000&", "&HFFFFFF&")
"""The colour of karaoke to come, which is never seen. libass draws neighbours that differ in
nothing as one shape, placed to a fraction of a pixel as a whole; this colour, changing from word
to word, keeps every word a shape of its own, so that lighting one moves no other."""


@dataclass(frozen=True, slots=True)
class SubtitleStyle:
    """How subtitles look, in pixels of the canvas."""

    font: str
    size_px: int
    """The em: what a designer calls font size."""
    color: str
    """``#RRGGBB``, as the two below."""
    highlight: str
    outline: str
    outline_px: float
    shadow_px: float
    blur_px: float
    side_px: int
    """Nothing is drawn nearer to the left and right edges."""
    bottom_px: int
    """From the bottom edge to the bottom of the last line."""


@dataclass(frozen=True, slots=True)
class SubtitleLayer:
    """The burnt-in subtitles of a timeline."""

    style: SubtitleStyle
    cues: tuple[Cue, ...]

    def touches(self, start_frame: int, end_frame: int) -> bool:
        """Return whether anything is drawn in the timeline frames ``[start_frame, end_frame)``."""
        return any(c.start_frame < end_frame and c.end_frame > start_frame for c in self.cues)


def subtitle_style(settings: SubtitleSettings, width_px: int, height_px: int) -> SubtitleStyle:
    """Return the style for a canvas; text that would leave it at the top is moved down."""
    size_px = max(8, round(settings.size * min(width_px, height_px)))
    block_px = ceil(settings.max_lines * size_px * LINE_HEIGHT_EM)
    highest_px = max(0, round(height_px * TITLE_SAFE) - block_px)
    return SubtitleStyle(
        font=settings.font,
        size_px=size_px,
        color=settings.color.upper(),
        highlight=settings.highlight.upper(),
        outline=settings.outline.upper(),
        outline_px=round(size_px * OUTLINE_EM, 1),
        shadow_px=round(size_px * SHADOW_OFFSET_EM, 1),
        blur_px=round(size_px * SHADOW_BLUR_EM, 1),
        side_px=ceil(width_px * (1 - TITLE_SAFE) / 2),
        bottom_px=min(round(height_px * settings.bottom), highest_px),
    )


def subtitle_layer(  # noqa: PLR0913 - each is a fact of its own, and named at the call
    words: Sequence[TimelineWord],
    rate: Fraction,
    settings: SubtitleSettings,
    *,
    width_px: int,
    height_px: int,
    measure: Callable[[str, int], float],
    timeline_frames: int,
    jumps: Sequence[int] = (),
) -> SubtitleLayer:
    """Return the subtitles of a timeline, every line within the title-safe width of the canvas.

    Args:
        words: what is said, in timeline frames and order.
        rate: timeline frames per second.
        settings: how they look and read.
        width_px: width of the picture they are drawn on.
        height_px: its height.
        measure: ``measure(text, size_px)`` returns the width in pixels of a text in the font.
        timeline_frames: length of the timeline; nothing is shown from there on.
        jumps: timeline frames at which the picture jumps, in order.
    """
    style = subtitle_style(settings, width_px, height_px)
    cues = cues_from_words(
        words,
        rate,
        settings,
        line_px=width_px - 2 * style.side_px - 2 * style.outline_px,
        measure=lambda text: measure(text, style.size_px),
        timeline_frames=timeline_frames,
        jumps=jumps,
    )
    return SubtitleLayer(style, cues)


def clock_stretch(rate: Fraction) -> int:
    """Return how many times slower than the picture the clock of an ASS document runs.

    1 up to 60 frames a second. Above (120: 2), frames lie too close for centiseconds, and the
    filter graph multiplies the timestamps by this in front of the filter that draws, and divides
    them by it behind.
    """
    return max(1, ceil(rate / MAX_CLOCK))


def ass_document(
    layer: SubtitleLayer,
    *,
    rate: Fraction,
    width_px: int,
    height_px: int,
    start_frame: int,
    end_frame: int,
) -> str:
    """Return the ASS file that draws the timeline frames ``[start_frame, end_frame)``.

    Its times count from `start_frame` on a clock slowed by `clock_stretch`, so the text is the
    same wherever on the timeline the frames lie. Frame n of the chunk must reach the filter with
    the timestamp ``n / rate * clock_stretch(rate)``.
    """
    file = pysubs2.SSAFile()
    file.info = {
        "PlayResX": str(width_px),
        "PlayResY": str(height_px),
        "ScaledBorderAndShadow": "yes",
        "WrapStyle": "2",
        "Kerning": "yes",
        "YCbCr Matrix": "None",
    }
    file.styles = {"Default": _ass_style(layer.style)}
    for cue in layer.cues:
        if cue.start_frame < end_frame and cue.end_frame > start_frame:
            for z_order, first, last, text in _states(cue, layer.style, rate, width_px, height_px):
                a, b = max(first, start_frame) - start_frame, min(last, end_frame) - start_frame
                if a < b:
                    start_ms, end_ms = _mid_frame_ms(a, rate), _mid_frame_ms(b, rate)
                    file.append(pysubs2.SSAEvent(start_ms, end_ms, text, layer=z_order))
    return file.to_string("ass", header_notice="")


def srt_document(cues: Sequence[Cue], rate: Fraction) -> str:
    """Return the cues as SubRip text in timeline time; what players take for code is defused."""
    file = pysubs2.SSAFile()
    for cue in cues:
        text = "\\N".join(_defused(line_text(line)).replace("-->", "→") for line in cue.lines)
        file.append(pysubs2.SSAEvent(_ms(cue.start_frame, rate), _ms(cue.end_frame, rate), text))
    return file.to_string("srt", keep_ssa_tags=True)


def vtt_document(cues: Sequence[Cue], rate: Fraction) -> str:
    """Return the cues as WebVTT in timeline time, with a timestamp in front of each later word."""
    file = pysubs2.SSAFile()
    for cue in cues:
        text = "\\N".join(_vtt_lines(cue, rate))
        file.append(pysubs2.SSAEvent(_ms(cue.start_frame, rate), _ms(cue.end_frame, rate), text))
    return file.to_string("vtt", keep_ssa_tags=True)


def _vtt_lines(cue: Cue, rate: Fraction) -> Iterator[str]:
    """Yield lines with ``<00:00:01.000>`` in front of each word that begins later."""
    at_ms = _ms(cue.start_frame, rate)
    for line in cue.lines:
        parts = []
        for space, word in spaced(line):
            parts.append(space)
            word_ms = _ms(word.start_frame, rate)
            if at_ms < word_ms < _ms(cue.end_frame, rate):
                parts.append(f"<{pysubs2.time.ms_to_str(word_ms, fractions=True).zfill(12)}>")
                at_ms = word_ms
            escaped = word.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            parts.append(escaped.replace("\\", f"\\{_WORD_JOINER}"))
        yield "".join(parts)


def _ms(frame: int, rate: Fraction) -> int:
    return round_half_up(FrameGrid(rate).time_of(frame) * 1000)


def _mid_frame_ms(frame: int, rate: Fraction) -> int:
    """Return the centisecond nearest to half a frame before `frame` on the slowed clock, in ms."""
    middle_s = (frame - Fraction(1, 2)) / rate * clock_stretch(rate)
    return max(0, 10 * round_half_up(middle_s * 100))


def _ass_style(style: SubtitleStyle) -> pysubs2.SSAStyle:
    return pysubs2.SSAStyle(
        fontname=clean_text(style.font).replace(",", " "),
        fontsize=round(style.size_px * LINE_HEIGHT_EM, 2),
        bold=True,
        primarycolor=pysubs2.Color(*bytes.fromhex(style.color[1:])),
        outlinecolor=pysubs2.Color(*bytes.fromhex(style.outline[1:])),
        outline=style.outline_px,
        shadow=0,
        alignment=pysubs2.Alignment.BOTTOM_CENTER,
        marginl=0,
        marginr=0,
        marginv=0,
        encoding=-1,  # the direction of the text decides which way a line runs
    )


def _states(
    cue: Cue, style: SubtitleStyle, rate: Fraction, width_px: int, height_px: int
) -> Iterator[tuple[int, int, int, str]]:
    """Yield (z order, first frame, end frame, text) of the shadow and each state of the words."""
    scale = cue.scale_percent
    size = f"\\fscx{scale}\\fscy{scale}" if scale < 100 else ""
    x, y = Fraction(width_px, 2), height_px - style.bottom_px
    base, lit = _ass_color(style.color), _ass_color(style.highlight)
    dark = _ass_color(style.outline)
    shadow = (
        f"{{\\pos({float(x):g},{y + style.shadow_px:g}){size}\\blur{style.blur_px:g}"
        f"\\1a{SHADOW_ALPHA}\\3a{SHADOW_ALPHA}}}"
    )
    yield 0, cue.start_frame, cue.end_frame, shadow + _ass_text(cue, None, dark, dark)
    place = f"{{\\pos({float(x):g},{y}){size}}}"
    for first, last, word in _lit_words(cue, max(1, round(HOLD_S * rate))):
        yield 1, first, last, place + _ass_text(cue, word, base, lit)


def _lit_words(cue: Cue, hold_frames: int) -> Iterator[tuple[int, int, int | None]]:
    """Yield (first frame, end frame, which word is lit or None); together they cover the cue."""
    at = cue.start_frame
    starts = [*(word.start_frame for word in cue.words), cue.end_frame]
    for n, (word, (start, after)) in enumerate(zip(cue.words, pairwise(starts), strict=True)):
        dark = min(after, max(word.end_frame, start) + hold_frames)
        for first, last, lit in ((at, start, None), (max(at, start), dark, n), (dark, after, None)):
            if first < last:
                yield first, last, lit
        at = max(at, after)


def _ass_text(cue: Cue, lit: int | None, base_color: str, lit_color: str) -> str:
    """Return the lines with colours in front of every word, one of them `lit` or None."""
    lines, n = [], 0
    for line in cue.lines:
        text = ""
        for space, word in spaced(line):
            color = lit_color if n == lit else base_color
            text += f"{space}{{\\1c{color}\\2c{_APART[n % 2]}}}{_escaped(word.text)}"
            n += 1
        lines.append(text)
    return "\\N".join(lines)


def _ass_color(color: str) -> str:
    """Return ``#RRGGBB`` as ASS writes it: ``&HBBGGRR&``."""
    return f"&H{color[5:7]}{color[3:5]}{color[1:3]}&"


def _defused(text: str) -> str:
    """Return text whose backslashes start no code: an invisible word joiner stands behind each."""
    return text.replace("\\", f"\\{_WORD_JOINER}")


def _escaped(text: str) -> str:
    """Return text as libass draws it letter by letter."""
    return _defused(text).replace("{", "\\{").replace("}", "\\}")
