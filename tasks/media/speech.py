"""Speech to text: faster-whisper, or openai-whisper where that is asked for or all there is.

The sound is cut into clips of speech first (see `tasks.analysis.voice.speech_clips`), and each is
transcribed by itself: no words in silence, no error that one clip hands to the next, and the same
result for a clip whatever lies around it. No sampling: a clip that comes out repeating itself is
decoded once more with repetition forbidden, so the same sound always gives the same words.
"""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from tasks.analysis.transcript import Transcript, Word
from tasks.analysis.voice import VOICE_RATE_HZ, speech_clips, speech_spans
from tasks.analysis.words import in_order, whole_words
from tasks.errors import BadSettings
from tasks.media.engines import EngineIdentity, resolve_engine, weights_for
from tasks.media.vad import speech_probabilities
from tasks.settings import Engine, TranscriptSettings
from tasks.timeline.time import Span

__all__ = [
    "EngineIdentity",
    "SpeechModel",
    "release_models",
    "resolve_engine",
    "transcribe",
]

LANGUAGE_SAMPLES = 30 * VOICE_RATE_HZ
"""How much speech the language is told from: what a Whisper model looks at at once."""
_one_at_a_time = threading.Lock()
"""One model works at a time: a second one beside it would be slower and take twice the memory."""


class SpeechModel(Protocol):
    """A loaded speech model."""

    def checked(self, language: str | None) -> str | None:
        """Return the language; raise `BadSettings` where the model does not know it."""

    def told(self, samples: np.ndarray) -> str:
        """Return the language that is spoken in a sound of at most 30 s."""

    def segments(
        self, samples: np.ndarray, language: str, settings: TranscriptSettings
    ) -> Sequence[Sequence[Word]]:
        """Return the pieces of words of each segment of a clip, spaces kept, as the model says."""


def transcribe(
    samples: np.ndarray,
    settings: TranscriptSettings,
    identity: EngineIdentity,
    *,
    language: str | None = None,
) -> Transcript:
    """Return the words that are spoken in a sound.

    Args:
        samples: float32, mono, 16 kHz, -1 to 1, shape (n,); at most some minutes at once.
        settings: of these, the model, the language, the prompt and the beam count.
        identity: from `resolve_engine` for the same settings.
        language: ISO 639-1 code; None: that of the settings, else told from the first 30 s of
            speech.

    Returns:
        Times count from the first sample, lie within the sound and do not overlap. Where nobody
        speaks there are no words and no language.

    Raises:
        Missing: weights or a program are missing and cannot be fetched.
        BadSettings: the model does not know the language.
    """
    clips = _clips(samples)
    if not clips:
        return Transcript("", (), str(identity))
    with _one_at_a_time:
        model = _model(identity)
        spoken = model.checked(language or settings.language) or model.told(_speech(samples, clips))
        words: list[Word] = []
        for clip in clips:
            words += _clip_words(model, samples, clip, spoken, settings)
    duration_s = len(samples) / VOICE_RATE_HZ
    return Transcript(spoken, in_order(words, duration_s), str(identity))


def release_models() -> None:
    """Give the memory of loaded models back."""
    with _one_at_a_time:
        _loaded.cache_clear()
        gc.collect()


def _clips(samples: np.ndarray) -> tuple[Span, ...]:
    spans = speech_spans(speech_probabilities(samples))
    return speech_clips(spans, len(samples) / VOICE_RATE_HZ)


def _cut(samples: np.ndarray, clip: Span) -> np.ndarray:
    first, last = (round(time_s * VOICE_RATE_HZ) for time_s in (clip.start_s, clip.end_s))
    return samples[first:last]


def _speech(samples: np.ndarray, clips: tuple[Span, ...]) -> np.ndarray:
    """Return the first 30 s of speech."""
    parts: list[np.ndarray] = []
    for clip in clips:
        parts.append(_cut(samples, clip))
        if sum(len(part) for part in parts) >= LANGUAGE_SAMPLES:
            break
    return np.concatenate(parts)[:LANGUAGE_SAMPLES]


def _clip_words(
    model: SpeechModel,
    samples: np.ndarray,
    clip: Span,
    language: str,
    settings: TranscriptSettings,
) -> list[Word]:
    """Return the words of one clip, in the time of the whole sound."""
    segments = model.segments(_cut(samples, clip), language, settings)
    words = [word for segment in segments for word in whole_words(segment, language)]
    return [
        replace(word, start_s=clip.start_s + word.start_s, end_s=clip.start_s + word.end_s)
        for word in in_order(words, clip.duration_s)
    ]


def _model(identity: EngineIdentity) -> SpeechModel:
    """Return the loaded model that the identity names."""
    for weights in weights_for(identity.program, identity.model):
        if weights.digest == identity.model_digest:
            return _loaded(identity.program, weights.path, identity.device, identity.compute_type)
    raise BadSettings(
        f"the weights of {identity.model!r} have changed since the plan was made", "start again"
    )


@functools.cache
def _loaded(program: str, path: Path, device: str, compute_type: str) -> SpeechModel:
    if program == Engine.FASTER_WHISPER:
        from tasks.media.faster_whisper_model import FasterWhisperModel

        return FasterWhisperModel(path, device, compute_type)
    from tasks.media.openai_whisper_model import OpenAiWhisperModel

    return OpenAiWhisperModel(path, device, compute_type)
