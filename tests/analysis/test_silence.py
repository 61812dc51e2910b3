"""Silence is found relative to the speech, above the noise, and never inside what is said."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.analysis.loudness import SILENT_DB, STEP_S, levels_db
from tasks.analysis.silence import SilenceMap, find_silence
from tasks.analysis.transcript import Word
from tasks.media.audio import analysis_blocks
from tasks.media.probe import probe
from tasks.settings import SilenceSettings
from tasks.timeline.time import Span

RATE_HZ = 16_000
SETTINGS = SilenceSettings()
MEDIA = Path(os.environ.get("FINECUT_MEDIA", Path(__file__).parents[3] / "shared/media"))
DURATION_S = 20.0
SPEECH = (Span(1.0, 3.0), Span(4.0, 7.0), Span(7.3, 9.0), Span(11.0, 14.0), Span(17.0, 19.0))


def talk(speech_db: float = -20.0, seed: int = 1) -> np.ndarray:
    """Return a voice-like sound: a buzz of 140 Hz in syllables of 0.2 s, at an RMS level."""
    t = np.arange(int(DURATION_S * RATE_HZ)) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 140 * k * t + k) / k for k in range(1, 20))
    voice = buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 5 * t))
    on = np.zeros(len(t))
    for span in SPEECH:
        on[int(span.start_s * RATE_HZ) : int(span.end_s * RATE_HZ)] = 1
    voice *= on
    out: np.ndarray = voice / np.sqrt((voice[on > 0] ** 2).mean()) * 10 ** (speech_db / 20)
    return out


def white(noise_db: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(int(DURATION_S * RATE_HZ))
    return noise * 10 ** (noise_db / 20)


def hum(noise_db: float, hz: float = 50.0) -> np.ndarray:
    t = np.arange(int(DURATION_S * RATE_HZ)) / RATE_HZ
    return np.sqrt(2) * 10 ** (noise_db / 20) * np.sin(2 * np.pi * hz * t)


def found(
    sound: np.ndarray,
    vad: tuple[Span, ...] | None = SPEECH,
    words: tuple[Word, ...] = (),
    settings: SilenceSettings = SETTINGS,
) -> SilenceMap:
    levels = levels_db([sound.astype(np.float32)])
    return find_silence(levels, STEP_S, vad, words, len(sound) / RATE_HZ, settings)


EXPECTED = (
    Span(0, 1 - 0.12),
    Span(3.12, 3.88),
    Span(9.12, 10.88),
    Span(14.12, 16.88),
    Span(19.12, 20),
)


@pytest.mark.parametrize("vad", [SPEECH, None], ids=["voice", "level only"])
@pytest.mark.parametrize(
    "sound",
    [
        talk(),
        talk() + white(-50),
        talk() + white(-40),
        talk() + hum(-30),
        talk() + hum(-40, 200.0),
        talk(-40.0),
        np.clip(talk() * 10, -1, 1),
        talk(-12.0) + white(-30),
    ],
    ids=["clean", "hiss", "noise", "mains", "hum", "quiet", "clipped", "loud noise"],
)
def test_pauses_are_found_whatever_lies_under_them(
    sound: np.ndarray, vad: tuple[Span, ...] | None
) -> None:
    got = found(sound, vad).spans
    assert len(got) == len(EXPECTED)
    for span, due in zip(got, EXPECTED, strict=True):
        # The high-pass rings for its own half length, 32 ms, about each edge.
        assert span.start_s == pytest.approx(due.start_s, abs=0.05)
        assert span.end_s == pytest.approx(due.end_s, abs=0.05)


@pytest.mark.parametrize("sound", [talk() * 0, white(-30), hum(-20)], ids=["zero", "noise", "hum"])
@pytest.mark.parametrize("vad", [(), None], ids=["voice", "level only"])
def test_without_speech_nothing_is_cut(sound: np.ndarray, vad: tuple[Span, ...] | None) -> None:
    got = found(sound, vad)
    assert got.nothing_said
    assert got.spans == ()


def test_noise_that_is_no_voice_goes_and_a_filler_stays() -> None:
    """A second of noise in a pause goes with the voice detector, and stays without it; an "um"
    that has no word stays either way."""
    loud = talk()
    at = slice(int(15.0 * RATE_HZ), int(16.0 * RATE_HZ))
    loud[at] = white(-25)[at]
    assert any(s.start_s < 15.2 and s.end_s > 15.8 for s in found(loud).spans)
    for vad in (None, (*SPEECH, Span(15.1, 15.9))):
        assert not any(s.start_s < 15.9 and s.end_s > 15.1 for s in found(loud, vad).spans)


def test_a_lone_click_goes() -> None:
    sound = talk()
    sound[int(15.5 * RATE_HZ) : int(15.52 * RATE_HZ)] = 0.5
    assert len(found(sound, None).spans) == len(EXPECTED)


def test_a_whispered_word_stays_with_quiet_around_it() -> None:
    word = Word("yes", 15.3, 15.45)
    spans = found(talk(), SPEECH, (word,)).spans
    assert any(s.end_s == pytest.approx(word.start_s - 0.12) for s in spans)
    assert any(s.start_s == pytest.approx(word.end_s + 0.12) for s in spans)


@given(
    st.lists(st.tuples(st.floats(0, 19.9), st.floats(0.001, 0.8)), max_size=12),
    st.floats(0, 0.5),
    st.floats(0.05, 2),
    st.lists(st.floats(-90, -5), min_size=50, max_size=50),
)
def test_no_cut_enters_a_word(
    starts: list[tuple[float, float]], padding: float, shortest_s: float, levels: list[float]
) -> None:
    words = tuple(Word("w", start, min(20.0, start + length)) for start, length in starts)
    settings = SilenceSettings(padding=padding, min_silence=shortest_s)
    level_db = np.repeat(np.array(levels, np.float32), 40)
    spans = find_silence(level_db, STEP_S, None, words, DURATION_S, settings).spans
    for span in spans:
        assert 0 <= span.start_s < span.end_s <= DURATION_S
        assert all(w.end_s <= span.start_s or span.end_s <= w.start_s for w in words)
    for before, after in pairwise(spans):
        assert before.end_s < after.start_s


def test_levels_do_not_depend_on_blocks_and_ignore_hum() -> None:
    sound = (talk() + hum(-20)).astype(np.float32)
    whole = levels_db([sound])
    parts = levels_db(sound[at : at + 777] for at in range(0, len(sound), 777))
    assert len(whole) == 2000
    assert np.allclose(whole, parts, atol=0.01)
    assert levels_db([hum(-20).astype(np.float32)])[50:-50].max() < -65
    tone = levels_db([hum(-20, 1000.0).astype(np.float32)])
    assert tone[50:-50] == pytest.approx(-20, abs=0.05)
    assert levels_db([np.zeros(160, np.float32)]) == pytest.approx(SILENT_DB)
    assert len(levels_db([])) == 0


@pytest.mark.skipif(not MEDIA.is_dir(), reason="needs the footage: set FINECUT_MEDIA")
@pytest.mark.parametrize("noise_db", [None, -50, -40])
def test_pauses_of_a_real_recording(noise_db: float | None) -> None:
    path = MEDIA / "talk_gt_dev.mp4"
    truth = json.loads((MEDIA / "talk_gt_dev.json").read_text())
    sound = np.concatenate(list(analysis_blocks(path, probe(path))))
    if noise_db is not None:
        noise = np.random.default_rng(3).standard_normal(len(sound))
        sound = sound + noise * 10 ** (noise_db / 20)
    spans = found(sound, None).spans
    for event in truth["events"]:
        start_s, end_s = event["start"], event["end"]
        over = [s for s in spans if s.start_s < end_s and s.end_s > start_s]
        if event["type"] == "pause" and end_s - start_s >= 0.6:
            assert over, f"the pause at {start_s} s was missed"
        if event["type"] == "speech":
            pad_s = truth["speech_pad_s"]
            inside = [s for s in over if s.end_s > start_s + pad_s and s.start_s < end_s - pad_s]
            assert inside == []
