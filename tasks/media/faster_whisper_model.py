"""faster-whisper: Whisper computed by CTranslate2, several times as fast as openai-whisper."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.analysis.transcript import Word
from tasks.errors import BadInput, BadSettings
from tasks.settings import TranscriptSettings

MAX_COMPRESSION = 2.4
"""Text that packs better than this repeats itself (openai-whisper's own threshold)."""
MAX_THREADS = 4
"""More threads gain little. Words and times were the same with 1, 2 and 4 (int8, float32)."""
NO_REPEAT_TOKENS = 3
"""When a clip is decoded again, no run of this many tokens comes twice."""


class FasterWhisperModel:
    """A model that is loaded; not for several threads at once."""

    def __init__(self, folder: Path, device: str, compute_type: str) -> None:
        """Load the weights in CTranslate2's form that lie in `folder`.

        Raises:
            BadInput: there are none, or not whole.
        """
        from faster_whisper import WhisperModel

        try:
            self._model: Any = WhisperModel(
                str(folder),
                device=device,
                compute_type=compute_type,
                cpu_threads=min(os.cpu_count() or 1, MAX_THREADS),
                num_workers=1,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise BadInput(
                f"the speech model in {folder} does not load: {error}",
                "put model.bin, config.json, tokenizer.json and the vocabulary there, whole",
            ) from error

    def checked(self, language: str | None) -> str | None:
        """Return the language; raise `BadSettings` where the model does not know it."""
        if language is not None and language not in self._model.supported_languages:
            raise BadSettings(
                f"the speech model does not know the language {language!r}",
                "leave transcript.language out, or choose a model without '.en'",
            )
        return language

    def told(self, samples: np.ndarray) -> str:
        """Return the language that is spoken in a sound of at most 30 s."""
        if not self._model.model.is_multilingual:
            return "en"
        language: str = self._model.detect_language(audio=samples)[0]
        return language

    def segments(
        self, samples: np.ndarray, language: str, settings: TranscriptSettings
    ) -> Sequence[Sequence[Word]]:
        """Return the pieces of words of each segment of a clip, spaces kept.

        No sampling, whose random numbers would depend on what was transcribed before: a clip that
        repeats itself is decoded once more with repetition forbidden.
        """
        found = self._decoded(samples, language, settings)
        if any(segment.compression_ratio > MAX_COMPRESSION for segment in found):
            found = self._decoded(
                samples, language, settings, no_repeat_ngram_size=NO_REPEAT_TOKENS
            )
        return [
            [Word(w.word, float(w.start), float(w.end), float(w.probability)) for w in s.words]
            for s in found
        ]

    def _decoded(
        self, samples: np.ndarray, language: str, settings: TranscriptSettings, **more: Any
    ) -> list[Any]:
        segments, _ = self._model.transcribe(
            samples,
            language=language,
            beam_size=settings.beam,
            initial_prompt=settings.prompt,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            **more,
        )
        return list(segments)
