"""openai-whisper: the reference implementation, on PyTorch; installed by an extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.analysis.transcript import Word
from tasks.errors import BadInput, BadSettings, Missing
from tasks.media.whisper_convert import read_weights
from tasks.settings import TranscriptSettings

MAX_COMPRESSION = 2.4
"""Text that packs better than this repeats itself (openai-whisper's own threshold)."""
SECOND_TEMPERATURE = 0.4
"""A clip that repeats itself is sampled once at this temperature."""
SEED = 0


class OpenAiWhisperModel:
    """A model that is loaded; not for several threads at once."""

    def __init__(self, path: Path, device: str, compute_type: str) -> None:
        """Load OpenAI's checkpoint (a ``.pt`` file) or weights in CTranslate2's form (a folder).

        Raises:
            Missing: openai-whisper is not installed.
            BadInput: the weights cannot be read.
        """
        try:
            import torch
            import whisper
        except ImportError as error:
            raise Missing(
                f"openai-whisper does not load: {error}", "pip install 'finecut[whisper]'"
            ) from error
        self._whisper, self._torch, self._device = whisper, torch, device
        self._half = compute_type == "float16"
        if path.is_dir():
            self._model = self._converted(path)
        else:
            self._model = self._checkpoint(path)

    def _converted(self, folder: Path) -> Any:
        torch, weights = self._torch, read_weights(folder)
        model = self._whisper.model.Whisper(self._whisper.model.ModelDimensions(**weights.dims))
        model.load_state_dict(
            {name: torch.from_numpy(tensor.copy()) for name, tensor in weights.state.items()}
        )
        if weights.alignment_heads:
            layers, heads = weights.dims["n_text_layer"], weights.dims["n_text_head"]
            mask = torch.zeros(layers, heads, dtype=torch.bool)
            for layer, head in weights.alignment_heads:
                mask[layer, head] = True
            model.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
        return model.to(self._device)

    def _checkpoint(self, path: Path) -> Any:
        try:
            model = self._whisper.load_model(str(path), device=self._device)
        except Exception as error:  # PyTorch raises all kinds for a damaged file
            raise BadInput(
                f"{path} cannot be read as a checkpoint of openai-whisper's: {error}",
                "remove it, or name another model",
            ) from error
        heads = self._whisper._ALIGNMENT_HEADS.get(path.stem)  # noqa: SLF001 - nowhere public
        if heads is not None:  # loading from a path leaves them out, and words lie worse
            model.set_alignment_heads(heads)
        return model

    def checked(self, language: str | None) -> str | None:
        """Return the language; raise `BadSettings` where the model does not know it."""
        known = self._whisper.tokenizer.LANGUAGES if self._model.is_multilingual else ("en",)
        if language is not None and language not in known:
            raise BadSettings(
                f"the speech model does not know the language {language!r}",
                "leave transcript.language out, or choose a model without '.en'",
            )
        return language

    def told(self, samples: np.ndarray) -> str:
        """Return the language that is spoken in a sound of at most 30 s."""
        if not self._model.is_multilingual:
            return "en"
        whisper = self._whisper
        mel = whisper.log_mel_spectrogram(
            whisper.pad_or_trim(samples), self._model.dims.n_mels, device=self._device
        )
        _, chances = self._model.detect_language(mel)
        return max(chances, key=chances.__getitem__)

    def segments(
        self, samples: np.ndarray, language: str, settings: TranscriptSettings
    ) -> Sequence[Sequence[Word]]:
        """Return the pieces of words of each segment of a clip, spaces kept.

        A clip that repeats itself is sampled once more, from a fixed seed.
        """
        found = self._decoded(samples, language, settings, 0.0)
        if any(segment["compression_ratio"] > MAX_COMPRESSION for segment in found):
            self._torch.manual_seed(SEED)
            found = self._decoded(samples, language, settings, SECOND_TEMPERATURE)
        return [
            [
                Word(w["word"], float(w["start"]), float(w["end"]), float(w["probability"]))
                for w in segment["words"]
            ]
            for segment in found
        ]

    def _decoded(
        self, samples: np.ndarray, language: str, settings: TranscriptSettings, temperature: float
    ) -> list[Any]:
        result = self._model.transcribe(
            samples,
            language=language,
            beam_size=settings.beam if temperature == 0 else None,
            initial_prompt=settings.prompt,
            temperature=temperature,
            condition_on_previous_text=False,
            word_timestamps=True,
            fp16=self._half,
            verbose=None,
        )
        segments: list[Any] = result["segments"]
        return segments
