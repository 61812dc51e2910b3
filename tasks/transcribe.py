"""Speech to text, window by window; each window is kept under a key of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.analysis.transcript import Transcript, Word
from tasks.analysis.windows import speech_windows
from tasks.caching import Made, Stored, result_of, stored
from tasks.engine import done
from tasks.extract_audio import AnalysisAudio
from tasks.keys import Key, transcript_key
from tasks.media.audio import read_analysis
from tasks.media.records import Entry
from tasks.media.speech import EngineIdentity, release_models, resolve_engine, transcribe
from tasks.render.report import StepRecord
from tasks.run import Held, Run
from tasks.settings import TranscriptSettings
from tasks.timeline.document import from_document, to_document
from tasks.timeline.model import Source
from tasks.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a source's sound, and what transcribes it."""

    source: Source
    audio: AnalysisAudio
    span: Span
    settings: TranscriptSettings
    engine: EngineIdentity
    language: str | None
    """Asked for, or heard in an earlier window; none: to be found out."""

    def samples(self) -> NDArray[np.float32]:
        """Return the sound, mono at 16 kHz, float32, shape (n,)."""
        return read_analysis(self.audio.flac, self.span.start_s, self.span.end_s)


def _key(_run: Run, given: Window) -> Key:
    samples = given.samples()
    return transcript_key(given.source, samples, given.settings, given.engine, given.language)


def _compute(_run: Run, given: Window, _work: Path) -> Made:
    """Return what is said in a window, its times counted from the window's start."""
    found = transcribe(given.samples(), given.settings, given.engine, language=given.language)
    return Made(to_document(found))


def _load(_given: Window, entry: Entry) -> Transcript:
    return from_document(Transcript, entry.value)


transcribe_window = stored(Stored("transcript", _key, _compute, _load))


def _shifted(word: Word, by_s: float) -> Word:
    start_s, end_s = round(word.start_s + by_s, 3), round(word.end_s + by_s, 3)
    return replace(word, start_s=start_s, end_s=end_s)


def transcribed(
    run: Run,
    source: Source,
    audio: AnalysisAudio,
    voice: tuple[Span, ...],
    settings: TranscriptSettings,
) -> Transcript:
    """Return what is said in a source; where nobody speaks, no model is loaded."""
    if not voice:
        run.record(StepRecord("transcript", "computed", 0.0))
        return Transcript("", ())
    engine = resolve_engine(settings)
    language, told = settings.language, ""
    words: list[Word] = []
    try:
        for span in speech_windows(voice, float(source.duration_s), settings.window):
            window = Held(Window(source, audio, span, settings, engine, language))
            part = result_of(run, done(transcribe_window, run, window))
            # The first window in which somebody speaks settles the language for the rest.
            language = language or part.language or None
            told = told or part.language
            words += [_shifted(word, span.start_s) for word in part.words]
    finally:
        release_models()
    return Transcript(told, tuple(words), str(engine))
