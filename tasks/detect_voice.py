"""Where somebody speaks, by Silero's voice detector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.analysis.voice import speech_spans
from tasks.caching import Made, Stored, stored
from tasks.extract_audio import BLOCK_S, AnalysisAudio
from tasks.keys import voice_key
from tasks.media.audio import iter_analysis
from tasks.media.records import Entry
from tasks.media.vad import iter_speech_probabilities
from tasks.run import Run
from tasks.timeline.model import Source
from tasks.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Listening:
    """A source and its sound."""

    source: Source
    audio: AnalysisAudio


def _compute(_run: Run, given: Listening, _work: Path) -> Made:
    """Return the spans of source time in which somebody speaks."""
    blocks = list(iter_speech_probabilities(iter_analysis(given.audio.flac, BLOCK_S)))
    found = speech_spans(np.concatenate(blocks) if blocks else np.zeros(0, np.float32))
    return Made([[round(span.start_s, 4), round(span.end_s, 4)] for span in found])


def _load(_given: Listening, entry: Entry) -> tuple[Span, ...]:
    return tuple(Span(start_s, end_s) for start_s, end_s in entry.value)


detect_voice = stored(
    Stored("voice", lambda _, given: voice_key(given.source, given.audio.digest), _compute, _load)
)
