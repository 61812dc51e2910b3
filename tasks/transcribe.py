"""Speech to text, window by window; each window is kept under a key of its own."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prefect import task

from tasks.analysis.transcript import Transcript, Word
from tasks.analysis.windows import speech_windows
from tasks.caching import STEP, Made, Result, remembered
from tasks.extract_audio import AnalysisAudio
from tasks.keys import Key, step_key
from tasks.media.audio import read_analysis
from tasks.media.speech import EngineIdentity, release_models, resolve_engine, transcribe
from tasks.render.report import StepRecord
from tasks.run import Held, Run
from tasks.settings import Engine, TranscriptSettings
from tasks.timeline.document import from_document, to_document
from tasks.timeline.model import Source
from tasks.timeline.time import Span


def _window_key(
    samples: NDArray[np.float32],
    settings: TranscriptSettings,
    engine: EngineIdentity,
    language: str | None,
) -> Key:
    digest = hashlib.blake2b(samples.tobytes(), digest_size=32).hexdigest()
    # Which engine was asked for does not matter, only which one works: that is in the tools.
    used = settings.model_copy(
        update={
            "engine": Engine.AUTO,
            "device": "auto",
            "compute_type": "auto",
            "window": 600.0,
        }
    )
    tools = {name: str(value) for name, value in asdict(engine).items()}
    return step_key(
        "transcript", inputs={"sound": digest, "language": language}, settings=used, tools=tools
    )


def _transcribed_window(
    samples: NDArray[np.float32],
    settings: TranscriptSettings,
    engine: EngineIdentity,
    language: str | None,
    _folder: Path,
) -> Made:
    return Made(to_document(transcribe(samples, settings, engine, language=language)), {})


def _shifted(word: Word, by_s: float) -> Word:
    start_s, end_s = round(word.start_s + by_s, 3), round(word.end_s + by_s, 3)
    return replace(word, start_s=start_s, end_s=end_s)


def transcribed(
    run: Run,
    audio: AnalysisAudio,
    windows: tuple[Span, ...],
    settings: TranscriptSettings,
) -> Result[Transcript]:
    """Return the words of one source, each window from the store or transcribed anew."""
    engine = resolve_engine(settings)
    language = settings.language
    words: list[Word] = []
    records: list[StepRecord] = []
    told = ""
    for window in windows:
        samples = read_analysis(audio.flac, window.start_s, window.end_s)
        result = remembered(
            run,
            _window_key(samples, settings, engine, language),
            partial(_transcribed_window, samples, settings, engine, language),
            lambda entry: from_document(Transcript, entry.value),
        )
        part = result.value
        # The first window in which somebody speaks settles the language for the rest.
        language = language or part.language or None
        told = told or part.language
        words += [_shifted(word, window.start_s) for word in part.words]
        records.append(result.record)
    state = "hit" if all(record.state == "hit" for record in records) else "miss"
    seconds = sum(record.seconds for record in records)
    record = StepRecord("transcript", state, round(seconds, 3), records[0].key)
    return Result(Transcript(told, tuple(words), str(engine)), record)


@task(name="transcript", **STEP)
def transcribe_speech(
    run: Run,
    held_source: Held[Source],
    held_audio: Held[AnalysisAudio],
    held_voice: Held[tuple[Span, ...]],
    settings: TranscriptSettings,
) -> Result[Transcript]:
    """Return what is said in a source; where nobody speaks, no model is loaded."""
    voice = held_voice.value
    if not voice:
        record = StepRecord("transcript", "computed", 0.0)
        run.record(record)
        return Result(Transcript("", ()), record)
    duration_s = float(held_source.value.duration_s)
    windows = speech_windows(voice, duration_s, settings.window)
    try:
        return transcribed(run, held_audio.value, windows, settings).state()  # type: ignore[return-value]
    finally:
        release_models()
