"""Subtitles: how words become lines, and what FFmpeg really draws of them."""

from __future__ import annotations

import os
import struct
import subprocess
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import floor
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter

from tasks.layers.cues import Cue, CueWord, TimelineWord, line_text
from tasks.layers.phrasing import cues_from_words
from tasks.layers.subtitles import (
    LINE_HEIGHT_EM,
    SubtitleLayer,
    _mid_frame_ms,
    ass_document,
    clock_stretch,
    srt_document,
    subtitle_layer,
    subtitle_style,
    vtt_document,
)
from tasks.layers.wording import columns
from tasks.media import fonts
from tasks.settings import SubtitleSettings

GOLDEN = Path(__file__).parents[1] / "golden"
RATE = Fraction(30)
RATES = [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001), Fraction(120), Fraction(240)]
SETTINGS = SubtitleSettings()
SHAPING = "shaping=complex"
Frames = NDArray[np.uint8]


def said(text: str, *, rate: Fraction = RATE, start_frame: int = 15) -> list[TimelineWord]:
    """Return a text as spoken at 15 letters a second, with a breath behind each sentence."""
    words, at_s = [], Fraction(start_frame) / rate
    for word in text.split():
        length_s = Fraction(1, 10) + Fraction(len(word), 20)
        words.append(TimelineWord(word, round(at_s * rate), round((at_s + length_s) * rate)))
        at_s += length_s + (Fraction(1, 4) if word[-1] in ".?!" else Fraction(1, 50))
    return words


def cues_of(
    words: list[TimelineWord], line_px: float = 1150, jumps: tuple[int, ...] = (), **changes: int
) -> list[Cue]:
    """Return the cues of words for a 1280x720 picture, unless told otherwise."""
    chosen = SETTINGS.model_copy(update=changes)
    measure = partial(fonts.measure, size_px=40)
    return list(cues_from_words(words, RATE, chosen, line_px=line_px, measure=measure, jumps=jumps))


def lines_of(text: str) -> list[list[str]]:
    return [[line_text(line) for line in cue.lines] for cue in cues_of(said(text))]


# --- phrasing


def test_lines_break_at_phrases_not_at_the_last_word_that_fits() -> None:
    assert lines_of(
        "Now the computer does it for me while I drink my coffee! Is that not great? "
        "If you try it, you will never want to go back to the old way."
    ) == [
        ["Now the computer does it", "for me while I drink my coffee!"],
        ["Is that not great?"],
        ["If you try it, you will never want", "to go back to the old way."],
    ]


def test_an_abbreviation_ends_no_sentence() -> None:
    (cue,) = lines_of("Dr. Smith paid 3. Mai e.g. in full.")
    assert " ".join(cue) == "Dr. Smith paid 3. Mai e.g. in full."


def test_a_short_sentence_stays_with_the_next() -> None:
    assert lines_of("Yes. I think so too.") == [["Yes. I think so too."]]


def test_no_line_holds_one_short_word_where_it_can_be_helped() -> None:
    for cue in lines_of("This is a sentence that is only just too long for a line."):
        assert all(len(line.split()) > 1 for line in cue)


def test_a_long_pause_ends_a_cue() -> None:
    words = [TimelineWord("one", 0, 10), TimelineWord("two", 31, 40), TimelineWord("three", 45, 50)]
    assert [[w.text for w in c.words] for c in cues_of(words)] == [["one"], ["two", "three"]]


def test_cues_end_and_begin_where_the_picture_jumps() -> None:
    words = [
        TimelineWord("It", 3, 20),
        TimelineWord("works", 20, 40),
        TimelineWord("every", 48, 60),
        TimelineWord("time", 60, 90),
    ]
    first, second = cues_of(words, jumps=(44,))
    assert (first.start_frame, first.end_frame) == (3, 44)
    assert (second.start_frame, second.words[0].start_frame) == (44, 48)


def test_a_run_too_short_to_stand_alone_goes_on_across_a_jump() -> None:
    words = [TimelineWord("So", 3, 12), TimelineWord("anyway", 18, 60)]
    assert len(cues_of(words, jumps=(14,))) == 1


def test_a_cue_far_behind_a_jump_waits_for_its_word() -> None:
    words = [TimelineWord("Now.", 3, 40), TimelineWord("Later", 480, 520)]
    first, second = cues_of(words, jumps=(60, 240))
    assert first.end_frame <= 60
    assert second.start_frame == 480


def test_a_cue_does_not_linger_over_a_jump() -> None:
    words = [TimelineWord("one.", 0, 30), TimelineWord("two.", 200, 230)]
    assert cues_of(words)[0].end_frame == 45
    assert cues_of(words, jumps=(34,))[0].end_frame == 34


def test_a_cue_lingers_into_silence_and_closes_a_gap_that_would_blink() -> None:
    words = [TimelineWord("one.", 0, 30), TimelineWord("two.", 51, 90), TimelineWord("x", 200, 201)]
    first, second, third = cues_of(words)
    assert (first.start_frame, first.end_frame) == (0, 51)
    assert (second.start_frame, second.end_frame) == (51, 105)
    assert third.end_frame == 216


def test_reading_speed_is_kept_where_the_speech_allows_it() -> None:
    text = "I used to spend four hours cutting every single silence by hand. " * 3
    for cue in cues_of(said(text)):
        count = sum(columns(line_text(line)) for line in cue.lines)
        assert count / ((cue.end_frame - cue.start_frame) / RATE) <= SETTINGS.max_cps


def test_a_word_wider_than_the_line_stays_whole_and_is_drawn_smaller() -> None:
    (cue,) = cues_of([TimelineWord("W" * 60, 0, 30)])
    assert [len(line) for line in cue.lines] == [1]
    assert fonts.measure("W" * 60, 40) * cue.scale_percent / 100 <= 1150


def test_scripts_without_spaces_are_joined_and_broken_within_the_line() -> None:
    words = [
        TimelineWord(char, 6 * n, 6 * n + 6)
        for n, char in enumerate("今天我想谈谈改变了我剪辑视频方式的东西。")
    ]
    text = ["".join(line_text(line) for line in cue.lines) for cue in cues_of(words)]
    assert "".join(text) == "今天我想谈谈改变了我剪辑视频方式的东西。"
    whole = [TimelineWord("今天我想谈谈改变了我剪辑视频方式的东西。" * 3, 0, 300)]
    for cue in cues_of(whole):
        assert all(columns(line_text(line)) <= SETTINGS.max_chars for line in cue.lines)


def test_arabic_stays_in_the_order_it_is_spoken() -> None:
    assert lines_of("مرحبا بكم في القناة الجديدة.") == [["مرحبا بكم في القناة الجديدة."]]


def test_control_characters_and_direction_overrides_are_no_text() -> None:
    words = [TimelineWord(" a\n\x00b\u202e ", 0, 9), TimelineWord("\u200b \x07", 9, 12)]
    (cue,) = cues_of(words)
    assert [word.text for word in cue.words] == ["a b"]


word_texts = st.text(
    st.sampled_from("abcdeéßWi,.!?-{}\\<>&今天。ก็مر\u0301 \n👍"), min_size=1, max_size=18
)
spoken = st.lists(
    st.tuples(word_texts, st.integers(0, 40), st.integers(-5, 40), st.booleans()), max_size=60
)


def laid_end_to_end(parts: list[tuple[str, int, int, bool]]) -> list[TimelineWord]:
    words, at = [], 0
    for text, length, pause, ends in parts:
        words.append(TimelineWord(text, at, at + length, ends))
        at = max(0, at + length + pause)
    return sorted(words, key=lambda word: word.start_frame)


@given(spoken, st.sampled_from([1, 2, 3]), st.sampled_from([12, 38]), st.sampled_from([300, 1150]))
@settings(deadline=None, max_examples=150)
def test_cues_hold_every_word_once_in_order_and_never_overlap(
    parts: list[tuple[str, int, int, bool]], max_lines: int, max_chars: int, line_px: int
) -> None:
    words = laid_end_to_end(parts)
    cues = cues_of(words, line_px, max_lines=max_lines, max_chars=max_chars)

    def letters(texts: list[str]) -> list[str]:
        return [char for text in texts for char in text if not char.isspace()]

    assert letters([w.text for c in cues for w in c.words]) == letters([w.text for w in words])
    assert all(a.end_frame <= b.start_frame for a, b in pairwise(cues))
    for cue in cues:
        assert cue.start_frame == cue.words[0].start_frame
        assert cue.words[-1].end_frame <= cue.end_frame
        assert 1 <= len(cue.lines) <= max_lines
        assert all(a.end_frame <= b.start_frame for a, b in pairwise(cue.words))
        assert all(word.start_frame < word.end_frame for word in cue.words)
        for line in cue.lines:
            assert len(line) == 1 or columns(line_text(line)) <= max_chars
            width_px = fonts.measure(line_text(line), 40) * cue.scale_percent / 100
            assert width_px <= line_px + 0.01 or cue.scale_percent == 1


@given(spoken, st.integers(1, 200))
@settings(deadline=None)
def test_nothing_is_shown_behind_the_end(
    parts: list[tuple[str, int, int, bool]], timeline_frames: int
) -> None:
    cues = cues_from_words(
        laid_end_to_end(parts),
        RATE,
        SETTINGS,
        line_px=1150,
        measure=partial(fonts.measure, size_px=40),
        timeline_frames=timeline_frames,
    )

    assert all(0 <= cue.start_frame < cue.end_frame <= timeline_frames for cue in cues)


sentence = st.lists(st.text("abcdefghi", min_size=2, max_size=12), min_size=8, max_size=40)


@given(st.lists(sentence, min_size=3, max_size=5), st.data())
@settings(deadline=None, max_examples=60)
def test_a_changed_word_changes_only_cues_of_its_own_sentence(
    sentences: list[list[str]], data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(sentences) - 1))
    word = data.draw(st.integers(0, len(sentences[which]) - 2))
    text = ". ".join(" ".join(words) for words in sentences) + "."
    words = said(text)
    first = sum(len(words) for words in sentences[:which])
    changed = [*words]
    changed[first + word] = replace(words[first + word], text="something-else,")
    start = words[first].start_frame
    behind = first + len(sentences[which])
    end = words[behind].start_frame if behind < len(words) else 10**9

    before, after = cues_of(words), cues_of(changed)

    for outside in (lambda c: c.end_frame <= start, lambda c: c.start_frame >= end):
        assert [c for c in before if outside(c)] == [c for c in after if outside(c)]
    assert all(c.start_frame >= start or c.end_frame <= start for c in after)


# --- documents

TEXT = "So today I want to talk about something that changed the way I edit. Yes, really."


def layer_of(
    text: str = TEXT,
    canvas: tuple[int, int] = (320, 180),
    rate: Fraction = RATE,
    **changes: object,
) -> SubtitleLayer:
    return subtitle_layer(
        said(text, rate=rate),
        rate,
        SETTINGS.model_copy(update=changes),
        width_px=canvas[0],
        height_px=canvas[1],
        measure=fonts.measure,
        timeline_frames=10**6,
    )


def golden(name: str, text: str) -> None:
    """Compare with a golden file; FINECUT_UPDATE_GOLDEN=1 writes it anew."""
    if os.environ.get("FINECUT_UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8", newline="\n")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_documents_are_as_reviewed() -> None:
    layer = layer_of(canvas=(1280, 720), rate=Fraction(30000, 1001))
    rate = Fraction(30000, 1001)
    golden(
        "subtitles.ass",
        ass_document(layer, rate=rate, width_px=1280, height_px=720, start_frame=20, end_frame=90),
    )
    golden("subtitles.srt", srt_document(layer.cues, rate))
    golden("subtitles.vtt", vtt_document(layer.cues, rate))


def test_a_chunk_is_the_same_text_wherever_it_lies() -> None:
    layer = layer_of()
    moved = subtitle_layer(
        [
            replace(w, start_frame=w.start_frame + 10_007, end_frame=w.end_frame + 10_007)
            for w in said(TEXT)
        ],
        RATE,
        SETTINGS,
        width_px=320,
        height_px=180,
        measure=fonts.measure,
        timeline_frames=10**6,
    )
    draw = partial(ass_document, rate=RATE, width_px=320, height_px=180)

    assert draw(layer, start_frame=40, end_frame=120) == draw(
        moved, start_frame=10_047, end_frame=10_127
    )


def test_a_layer_survives_json() -> None:
    adapter = TypeAdapter(SubtitleLayer)
    layer = layer_of()
    assert adapter.validate_json(adapter.dump_json(layer)) == layer


def test_a_layer_knows_which_frames_it_touches() -> None:
    layer = layer_of()
    start, end = layer.cues[0].start_frame, layer.cues[-1].end_frame
    assert not layer.touches(0, start) and layer.touches(0, start + 1)
    assert layer.touches(end - 1, end) and not layer.touches(end, end + 100)


def test_text_at_the_very_top_is_moved_into_the_picture() -> None:
    style = subtitle_style(SETTINGS.model_copy(update={"bottom": 0.9}), 1280, 720)
    assert style.bottom_px + SETTINGS.max_lines * style.size_px * LINE_HEIGHT_EM <= 720 * 0.9 + 1


def test_times_in_files_beside_the_output_are_those_of_the_timeline() -> None:
    cues = layer_of().cues
    for text in (srt_document(cues, RATE), vtt_document(cues, RATE)):
        read = pysubs2.SSAFile.from_string(text)
        assert [(e.start, e.end) for e in read] == [
            (round(c.start_frame * 1000 / RATE), round(c.end_frame * 1000 / RATE)) for c in cues
        ]


def test_code_in_a_transcript_is_text_in_the_files() -> None:
    words = tuple(
        CueWord(text, 10 * n, 10 * n + 10)
        for n, text in enumerate([r"{\p1}m", "<b>&amp;", "-->", r"C:\News", "1", "00:00:01,000"])
    )
    cues = [Cue(0, 60, (words,)), Cue(60, 90, (words[:1],))]

    srt, vtt = srt_document(cues, RATE), vtt_document(cues, RATE)

    assert srt.count("-->") == 2 and vtt.count("-->") == 2
    assert "&lt;b&gt;&amp;amp;" in vtt and "<b>" not in vtt
    assert "{\\\u2060p1}m" in srt and "C:\\\u2060News" in srt
    assert len(pysubs2.SSAFile.from_string(srt)) == 2


@given(st.sampled_from([*RATES, Fraction(30), Fraction(90), Fraction(10)]), st.integers(1, 10**6))
def test_event_times_lie_between_the_frames_that_they_part(rate: Fraction, frame: int) -> None:
    def seen_ms(n: int) -> int:  # what FFmpeg hands libass: the timestamp cut off to milliseconds
        return floor(n / rate * clock_stretch(rate) * 1000)

    border_ms = _mid_frame_ms(frame, rate)

    assert border_ms % 10 == 0
    assert seen_ms(frame - 1) + 1 < border_ms < seen_ms(frame) - 1


# --- what FFmpeg draws


def drawn(
    tmp_path: Path,
    layer: SubtitleLayer,
    size: tuple[int, int],
    frames: range,
    rate: Fraction = RATE,
    *,
    color: str = "gray",
    name: str = "ass",
    env: dict[str, str] | None = None,
) -> Frames:
    """Return the luma of a range of timeline frames of plain colour, drawn by FFmpeg at once."""
    text = ass_document(
        layer,
        rate=rate,
        width_px=size[0],
        height_px=size[1],
        start_frame=frames.start,
        end_frame=frames.stop,
    )
    (tmp_path / "chunk.ass").write_text(text, encoding="utf-8")
    if not (tmp_path / "fonts").exists():
        (tmp_path / "fonts").symlink_to(fonts.FONTS_DIR)
    k = clock_stretch(rate)
    graph = f"setpts=PTS*{k},{name}=filename=chunk.ass:fontsdir=fonts:{SHAPING},setpts=PTS/{k}"
    source = f"color={color}:s={size[0]}x{size[1]}:r={rate}"
    # fmt: off
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin",
        "-f", "lavfi", "-i", source,
        "-vf", graph, "-frames:v", str(len(frames)),
        "-pix_fmt", "gray", "-f", "rawvideo", "-",
    ]
    # fmt: on
    raw = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **(env or {})}, capture_output=True, check=True
    ).stdout
    return np.frombuffer(raw, np.uint8).reshape(len(frames), size[1], size[0])


def taller_twin(font: bytes) -> bytes:
    """Return a font of the same name whose ascender is doubled, so that it is drawn smaller."""
    twin = bytearray(font)
    (tables,) = struct.unpack_from(">H", twin, 4)
    for n in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", twin, 12 + 16 * n)
        for field in {b"hhea": (4,), b"OS/2": (68, 74)}.get(tag, ()):
            (ascender,) = struct.unpack_from(">h", twin, offset + field)
            struct.pack_into(">h", twin, offset + field, 2 * ascender)
    return bytes(twin)


def ink(picture: Frames) -> tuple[int, int, int, int]:
    """Return left, right, top and bottom of what differs clearly from the ground."""
    rows, cols = np.nonzero(np.abs(picture.astype(int) - int(picture[0, 0])) > 40)
    return int(cols.min()), int(cols.max()), int(rows.min()), int(rows.max())


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_every_state_covers_exactly_its_frames(tmp_path: Path, rate: Fraction) -> None:
    words = [(3, 5), (5, 6), (6, 20), (20, 21), (150, 151), (151, 170)]
    one = [CueWord("abc"[n % 3] * 4, a, b) for n, (a, b) in enumerate(words[:4])]
    two = [CueWord("xy", a, b) for a, b in words[4:]]
    cues = (Cue(3, 22, (tuple(one),)), Cue(150, 171, (tuple(two),)))
    layer = SubtitleLayer(subtitle_style(SETTINGS, 160, 90), cues)

    pictures = drawn(tmp_path, layer, (160, 90), range(180), rate)

    changes = [n for n in range(1, 180) if not np.array_equal(pictures[n], pictures[n - 1])]
    assert changes == [3, 5, 6, 20, 22, 150, 151, 171]
    blank = [*range(3), *range(22, 150), *range(171, 180)]
    assert all(len(np.unique(pictures[n])) == 1 for n in blank)


def test_one_piece_is_many_pieces(tmp_path: Path) -> None:
    layer = layer_of(rate=Fraction(60000, 1001))
    end = layer.cues[-1].end_frame + 7
    draw = partial(drawn, tmp_path, layer, (320, 180), rate=Fraction(60000, 1001))
    whole = draw(range(end))
    inside = [layer.cues[0].start_frame + 1, layer.cues[0].words[2].start_frame, end // 2, end - 9]

    parts = [draw(range(a, b)) for a, b in pairwise([0, *inside, end])]

    assert np.array_equal(np.concatenate(parts), whole)
    assert len({picture.tobytes() for picture in whole}) > 10


def test_both_of_ffmpegs_filters_draw_the_same(tmp_path: Path) -> None:
    layer = layer_of()
    draw = partial(drawn, tmp_path, layer, (320, 180), range(layer.cues[0].end_frame + 3))
    assert np.array_equal(draw(name="ass"), draw(name="subtitles"))


def test_lighting_a_word_moves_no_other(tmp_path: Path) -> None:
    size, words = (960, 540), ["Wave:", "To", "AVAIL,", "fi", "Tyto"]
    line = tuple(CueWord(text, 4 * n, 4 * n + 4) for n, text in enumerate(words))
    layer = SubtitleLayer(subtitle_style(SETTINGS, *size), (Cue(0, 20, (line,)),))
    unlit = replace(layer, style=replace(layer.style, highlight=layer.style.color))

    pictures = drawn(tmp_path, layer, size, range(20))[::4]
    plain = drawn(tmp_path, unlit, size, range(1))[0]

    boxes = []
    for picture, text in zip(pictures, words, strict=True):
        cols = np.nonzero((picture != plain).any(axis=0))[0]
        boxes.append((cols.min(), cols.max()))
        assert len(cols) > 0.5 * layer.style.size_px
        assert cols.max() - cols.min() <= fonts.measure(text, layer.style.size_px)
    assert all(a[1] < b[0] for a, b in pairwise(boxes))  # each in a box of its own, in order


@pytest.mark.parametrize(
    "text",
    [r"{\p1}m", r"{\fs99}big", r"{\an8\pos(0,0)}", r"C:\News\new\hard", "{", "}", "\\", "a{b}c"],
)
def test_code_in_a_transcript_is_drawn_letter_by_letter(tmp_path: Path, text: str) -> None:
    size = (1280, 180)
    style = replace(subtitle_style(SETTINGS, 1280, 720), bottom_px=40)
    line = (CueWord("HH", 0, 1), CueWord(text, 1, 2), CueWord("HH", 2, 3))
    layer = SubtitleLayer(style, (Cue(0, 3, (line,)),))

    left, right, top, bottom = ink(drawn(tmp_path, layer, size, range(1))[0])

    expected_px = fonts.measure(line_text(line), style.size_px)
    assert expected_px * 0.92 < right - left < expected_px + 2 * style.outline_px
    assert bottom - top < style.size_px * LINE_HEIGHT_EM * 1.2


@pytest.mark.parametrize("size", [(640, 360), (360, 640)], ids=["wide", "tall"])
@pytest.mark.parametrize("text_size", [0.055, 0.15])
@pytest.mark.parametrize("color", ["white", "black"])
def test_every_line_lies_in_the_title_safe_area(
    tmp_path: Path, size: tuple[int, int], text_size: float, color: str
) -> None:
    text = "WWWWWWW MMMMMM WIDE MAMMOTHS WANDER WHERE " + "W" * 45 + " MEWS, WOW! Tiny i l."
    layer = layer_of(text, size, size=text_size)
    for cue in layer.cues:
        picture = drawn(
            tmp_path, layer, size, range(cue.start_frame, cue.start_frame + 1), color=color
        )[0]
        left, right, top, bottom = ink(picture)
        assert size[0] * 0.05 - 1 <= left and right <= size[0] * 0.95 + 1
        assert top > 0 and bottom < size[1] - 1


def test_the_bundled_font_wins_over_one_of_the_machine_with_its_name(tmp_path: Path) -> None:
    style = subtitle_style(SETTINGS, 1280, 720)
    layer = SubtitleLayer(style, (Cue(0, 2, ((CueWord("Illicit WAVES", 0, 2),),)),))
    expected = drawn(tmp_path, layer, (1280, 720), range(1))
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "twin.ttf").write_bytes(taller_twin(fonts.FONT_FILE.read_bytes()))
    (tmp_path / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{tmp_path}/machine</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>"
    )
    on_that_machine = {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}

    with_twin = drawn(tmp_path, layer, (1280, 720), range(1), env=on_that_machine)
    (tmp_path / "fonts").unlink()
    (tmp_path / "fonts").mkdir()
    twin_alone = drawn(tmp_path, layer, (1280, 720), range(1), env=on_that_machine)

    assert np.array_equal(with_twin, expected)
    assert not np.array_equal(twin_alone, expected)  # so the twin would have been taken


# --- the font


def test_the_bundled_font_is_what_the_layers_count_on() -> None:
    from PIL import ImageFont

    ascent, descent = ImageFont.truetype(str(fonts.FONT_FILE), 2048).getmetrics()
    assert (ascent + descent) / 2048 == pytest.approx(LINE_HEIGHT_EM, abs=0.001)
    assert fonts.is_bundled("inter") and not fonts.is_bundled("Arial")
    assert len(fonts.digest()) == 64
    assert [path.suffix for path in fonts.FONTS_DIR.iterdir()] == [".ttf"]
    assert (fonts.FONTS_DIR.parent / "OFL.txt").read_text().startswith("Copyright")


def test_the_measure_grows_with_size_and_counts_marks_as_nothing() -> None:
    assert fonts.measure("Hello", 80) == pytest.approx(2 * fonts.measure("Hello", 40))
    assert fonts.measure("e\u0301", 40) == pytest.approx(fonts.measure("e", 40))
    assert fonts.measure("今", 40) >= 40
    assert fonts.measurer("Arial")("a", 40) > fonts.measurer("Inter")("a", 40)


def test_characters_that_need_a_font_of_the_machine_are_named() -> None:
    assert fonts.uncovered("Tiếng “café” — Привет 今天 今 👍🏽\u200d") == "今天👍🏽"


@pytest.mark.parametrize("char", "aWéßđЖΩ€→…“½⁠")
def test_the_bundled_font_draws_what_it_is_said_to_cover(char: str) -> None:
    from PIL import ImageFont

    font = ImageFont.truetype(str(fonts.FONT_FILE), 100)
    assert fonts.uncovered(char) == ""
    assert bytes(font.getmask(char)) != bytes(font.getmask("\uffff"))


def test_a_font_name_cannot_carry_lines_of_its_own() -> None:
    layer = layer_of(font="Inter\nDialogue: 0,0:00:00.00,9:00:00.00,Default,,0,0,0,,spam")
    text = ass_document(layer, rate=RATE, width_px=320, height_px=180, start_frame=0, end_frame=1)
    assert "\nDialogue" not in text
