"""What is said, with word edges set right against the sound, and where nothing is said."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import task

from tasks.analysis.loudness import STEP_S
from tasks.analysis.silence import SilenceMap, find_silence
from tasks.analysis.transcript import Transcript, Word
from tasks.analysis.words import words_against_energy
from tasks.caching import STEP, Result, computed
from tasks.extract_audio import AnalysisAudio
from tasks.run import Held, Run
from tasks.settings import SilenceSettings
from tasks.timeline.model import Source
from tasks.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Heard:
    """What the sound of one source says."""

    words: tuple[Word, ...]
    silence: SilenceMap


def heard(
    source: Source,
    audio: AnalysisAudio,
    voice: tuple[Span, ...] | None,
    transcript: Transcript,
    settings: SilenceSettings,
) -> Heard:
    """Return the words and the silences of one source."""
    level_db = audio.level_db()
    duration_s = float(source.duration_s)
    asked = voice if settings.voice_activity else None
    # The threshold does not depend on the words; their edges depend on the threshold.
    threshold_db = find_silence(level_db, STEP_S, asked, (), duration_s, settings).threshold_db
    words = words_against_energy(transcript.words, level_db, STEP_S, threshold_db, voice or ())
    return Heard(words, find_silence(level_db, STEP_S, asked, words, duration_s, settings))


@task(name="silence", **STEP)
def detect_silence(
    run: Run,
    held_source: Held[Source],
    held_audio: Held[AnalysisAudio],
    held_voice: Held[tuple[Span, ...]],
    held_transcript: Held[Transcript],
    settings: SilenceSettings,
) -> Result[Heard]:
    """Return the words and the silences of one source; cheap, so never stored."""
    source = held_source.value
    result = computed(
        run,
        "silence",
        lambda: heard(source, held_audio.value, held_voice.value, held_transcript.value, settings),
    )
    if result.value.silence.nothing_said:
        run.warn(f"{source.name}: nobody speaks in it, so nothing was cut")
    return result
