"""Where somebody speaks, by Silero's voice detector."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from prefect import task

from tasks.analysis.voice import speech_spans
from tasks.caching import STEP, Made, Result, remembered
from tasks.extract_audio import BLOCK_S, AnalysisAudio
from tasks.keys import step_key
from tasks.media.audio import iter_analysis
from tasks.media.vad import iter_speech_probabilities
from tasks.run import Held, Run
from tasks.timeline.time import Span


def _spans(audio: AnalysisAudio) -> list[list[float]]:
    blocks = list(iter_speech_probabilities(iter_analysis(audio.flac, BLOCK_S)))
    found = speech_spans(np.concatenate(blocks) if blocks else np.zeros(0, np.float32))
    return [[round(span.start_s, 4), round(span.end_s, 4)] for span in found]


@task(name="voice", **STEP)
def detect_voice(run: Run, held_audio: Held[AnalysisAudio]) -> Result[tuple[Span, ...]]:
    """Return the spans of source time in which somebody speaks."""
    audio = held_audio.value
    result = remembered(
        run,
        step_key(
            "voice",
            inputs={"audio": audio.digest},
            tools={"vad": f"faster-whisper {version('faster-whisper')}"},
        ),
        lambda _: Made(_spans(audio), {}),
        lambda entry: tuple(Span(start_s, end_s) for start_s, end_s in entry.value),
    )
    return result.state()  # type: ignore[return-value]
