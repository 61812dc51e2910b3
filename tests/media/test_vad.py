"""The voice detector on real and made sound."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from tasks.analysis.voice import speech_spans
from tasks.media.vad import iter_speech_probabilities, speech_probabilities

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


def sound(path: Path) -> np.ndarray:
    """Return a file's sound as float32 mono at 16 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        return np.concatenate([f.to_ndarray()[0] for f in (*frames, *resampler.resample(None))])


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    if not (SAMPLES / "talk.mp4").is_file():
        pytest.skip("data/samples/talk.mp4 is not there")
    return sound(SAMPLES / "talk.mp4")


def test_blocks_of_any_size_give_the_same_as_the_whole(talk: np.ndarray) -> None:
    whole = speech_probabilities(talk)
    assert whole.shape == (-(-len(talk) // 512),)
    borders = np.sort(np.random.default_rng(1).integers(0, len(talk), 60))
    parts = np.concatenate(list(iter_speech_probabilities(np.split(talk, borders))))
    np.testing.assert_array_equal(parts, whole)


def test_the_spoken_sentences_are_found_and_the_pauses_are_not(talk: np.ndarray) -> None:
    pieces = json.loads((SAMPLES / "talk.json").read_text())["pieces"]
    spans = speech_spans(speech_probabilities(talk))
    spoken = np.zeros(len(talk) // 160 + 1, bool)
    for span in spans:
        spoken[round(span.start_s * 100) : round(span.end_s * 100)] = True
    for piece in pieces:
        first, last = round(piece["start_s"] * 100), round(piece["end_s"] * 100)
        assert spoken[first:last].mean() > (0.6 if piece["kind"] == "sentence" else 0.3), piece
        spoken[max(0, first - 15) : last + 15] = False
    assert spoken.mean() < 0.01


def test_noise_tones_and_silence_are_no_speech() -> None:
    at_s = np.arange(16_000 * 5) / 16_000
    noise = np.random.default_rng(2).normal(0, 0.05, len(at_s))
    for made in (noise, 0.3 * np.sin(2 * np.pi * 220 * at_s), np.zeros(len(at_s))):
        assert speech_spans(speech_probabilities(made.astype(np.float32))) == ()


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513])
def test_the_shortest_sounds_have_their_steps(samples: int) -> None:
    found = speech_probabilities(np.zeros(samples, np.float32))
    assert found.shape == (-(-samples // 512),)
