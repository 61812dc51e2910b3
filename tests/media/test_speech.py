"""Speech to text with real weights: what is said, when, and nothing where nobody speaks."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tasks.analysis.transcript import Transcript
from tasks.errors import BadSettings, Missing
from tasks.media import engines, models, speech
from tasks.settings import TranscriptSettings
from tests.media.test_vad import SAMPLES, sound

MEDIA = Path(
    os.environ.get("FINECUT_MEDIA", Path(__file__).resolve().parents[2] / "../shared/media")
)
TINY = TranscriptSettings(model="tiny.en")
OPENAI = TranscriptSettings(model="tiny.en", engine="openai-whisper")
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def tiny() -> TranscriptSettings:
    try:
        models.model_path("whisper-tiny.en")
    except Missing as error:
        pytest.skip(f"no weights: {error.message}")
    return TINY


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    """The first half minute of the sample talk."""
    if not (SAMPLES / "talk.mp4").is_file():
        pytest.skip("data/samples/talk.mp4 is not there")
    return sound(SAMPLES / "talk.mp4")[: 30 * RATE_HZ]


@pytest.fixture(scope="module")
def said(tiny: TranscriptSettings, talk: np.ndarray) -> Transcript:
    return speech.transcribe(talk, tiny, speech.resolve_engine(tiny))


def _plain(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def _in_order(transcript: Transcript, duration_s: float) -> None:
    for word in transcript.words:
        assert word.text == word.text.strip() != ""
        assert 0 <= word.start_s < word.end_s <= duration_s
        assert 0 <= word.probability <= 1
    for one, other in pairwise(transcript.words):
        assert one.end_s <= other.start_s


@pytest.mark.models
def test_each_sentence_is_heard_where_it_is_spoken(said: Transcript, talk: np.ndarray) -> None:
    duration_s = len(talk) / RATE_HZ
    _in_order(said, duration_s)
    pieces = json.loads((SAMPLES / "talk.json").read_text())["pieces"]
    sentences = [p for p in pieces if p["kind"] == "sentence" and p["end_s"] < duration_s - 1]
    assert sentences
    for piece in sentences:
        heard = [
            word.text
            for word in said.words
            if piece["start_s"] - 0.5 < (word.start_s + word.end_s) / 2 < piece["end_s"] + 0.5
        ]
        found, wanted = set(_plain(" ".join(heard))), set(_plain(piece["text"]))
        assert len(found & wanted) >= 0.7 * len(wanted), (piece, heard)
    assert said.language == "en" and "tiny.en" in said.engine
    assert said.words[-1].ends_phrase


@pytest.mark.models
def test_the_same_sound_gives_the_same_words_whatever_came_before(
    said: Transcript, tiny: TranscriptSettings, talk: np.ndarray
) -> None:
    identity = speech.resolve_engine(tiny)
    speech.transcribe(talk[: 8 * RATE_HZ], tiny, identity)
    assert speech.transcribe(talk, tiny, identity) == said


@pytest.mark.models
def test_where_nobody_speaks_there_are_no_words(tiny: TranscriptSettings) -> None:
    identity = speech.resolve_engine(tiny)
    noise = np.random.default_rng(3).normal(0, 0.05, 20 * RATE_HZ)
    for made in (noise, np.zeros(20 * RATE_HZ), np.zeros(0), np.zeros(100)):
        found = speech.transcribe(made.astype(np.float32), tiny, identity, language="en")
        assert found.words == () and found.language == ""


@pytest.mark.models
def test_a_folder_with_weights_serves_as_a_model(
    said: Transcript, tiny: TranscriptSettings, talk: np.ndarray
) -> None:
    own = tiny.model_copy(update={"model": str(models.model_path("whisper-tiny.en"))})
    identity = speech.resolve_engine(own)
    assert identity.model_digest == speech.resolve_engine(tiny).model_digest
    assert speech.transcribe(talk, own, identity).words == said.words
    speech.release_models()


@pytest.mark.models
def test_a_language_that_the_model_does_not_know_is_a_bad_setting(
    tiny: TranscriptSettings, talk: np.ndarray
) -> None:
    with pytest.raises(BadSettings, match="'de'"):
        speech.transcribe(talk, tiny, speech.resolve_engine(tiny), language="de")


@pytest.mark.media
@pytest.mark.models
@pytest.mark.skipif(not MEDIA.is_dir(), reason="the folder of real footage is not there")
def test_a_known_speech_is_heard_word_for_word(tiny: TranscriptSettings) -> None:
    samples = sound(MEDIA / "speech_jfk.flac")
    found = speech.transcribe(samples, tiny, speech.resolve_engine(tiny))
    assert _plain(found.text) == _plain(
        "And so my fellow Americans, ask not what your country can do for you, "
        "ask what you can do for your country."
    )
    _in_order(found, len(samples) / RATE_HZ)


@pytest.mark.models
@pytest.mark.skipif(
    importlib.util.find_spec("whisper") is None, reason="the extra 'whisper' is not installed"
)
def test_openai_whisper_hears_the_same_from_the_same_weights(
    said: Transcript, talk: np.ndarray
) -> None:
    short = talk[: 10 * RATE_HZ]
    found = speech.transcribe(short, OPENAI, speech.resolve_engine(OPENAI))
    _in_order(found, 10.0)
    exact = TINY.model_copy(update={"compute_type": "float32"})
    other = speech.transcribe(short, exact, speech.resolve_engine(exact))
    assert _plain(found.text) == _plain(other.text)
    for one, two in zip(found.words, other.words, strict=True):
        assert abs(one.start_s - two.start_s) < 0.1 and abs(one.end_s - two.end_s) < 0.1
    speech.release_models()


def test_the_identity_names_everything_and_needs_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINECUT_MODELS", str(tmp_path))
    identity = speech.resolve_engine(TranscriptSettings(device="cpu"))
    assert (identity.program, identity.device, identity.compute_type) == (
        "faster-whisper",
        "cpu",
        "int8",
    )
    assert identity.model_digest.startswith("d01c3014") and not list(tmp_path.iterdir())
    other = speech.resolve_engine(TranscriptSettings(device="cpu", model="small"))
    assert other.model_digest != identity.model_digest


def test_what_is_not_installed_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "_has", lambda package: False)
    with pytest.raises(Missing) as error:
        speech.resolve_engine(OPENAI)
    assert error.value.hint == "pip install 'finecut[whisper]'"
    with pytest.raises(Missing, match=r"faster-whisper or openai-whisper"):
        speech.resolve_engine(TINY)


def test_auto_takes_openai_whisper_where_it_is_all_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "_has", lambda package: package in {"openai-whisper", "torch"})
    monkeypatch.setattr(engines, "version", lambda package: "1")
    identity = speech.resolve_engine(TranscriptSettings(model="tiny.en", device="cpu"))
    assert identity.program == "openai-whisper" and identity.compute_type == "float32"


@pytest.mark.parametrize(
    ("setting", "value"), [("model", "gigantic"), ("compute_type", "float16"), ("device", "cuda")]
)
def test_what_is_not_to_be_had_is_a_bad_setting(setting: str, value: str) -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count() and setting != "model":
        pytest.skip("this machine has such a device")
    settings = TranscriptSettings().model_copy(update={"device": "cpu"} | {setting: value})
    with pytest.raises(BadSettings, match=value):
        speech.resolve_engine(settings)


def test_a_folder_without_weights_is_a_bad_setting(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="holds no weights"):
        speech.resolve_engine(TranscriptSettings(model=str(tmp_path)))
