"""What is said, with word edges set right against the sound, and where nothing is said."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.analysis.loudness import STEP_S
from tasks.analysis.silence import SilenceMap, find_silence
from tasks.analysis.transcript import Transcript, Word
from tasks.analysis.words import words_against_energy
from tasks.caching import computed
from tasks.engine import step
from tasks.extract_audio import AnalysisAudio
from tasks.keys import silence_key, words_document
from tasks.run import Held, Run
from tasks.settings import SilenceSettings
from tasks.timeline.model import Source
from tasks.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Heard:
    """What the sound of one source says."""

    words: tuple[Word, ...]
    silence: SilenceMap


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is known of the sound of one source."""

    source: Source
    audio: AnalysisAudio
    voice: tuple[Span, ...]
    transcript: Transcript
    settings: SilenceSettings


def heard(given: Hearing) -> Heard:
    """Return the words and the silences of one source."""
    level_db, settings = given.audio.level_db(), given.settings
    duration_s = float(given.source.duration_s)
    asked = given.voice if settings.voice_activity else None
    # The threshold does not depend on the words; their edges depend on the threshold.
    threshold_db = find_silence(level_db, STEP_S, asked, (), duration_s, settings).threshold_db
    words = words_against_energy(
        given.transcript.words, level_db, STEP_S, threshold_db, given.voice
    )
    return Heard(words, find_silence(level_db, STEP_S, asked, words, duration_s, settings))


@step("silence")
def detect_silence(run: Run, held: Held[Hearing]) -> Held[Heard]:
    """Return the words and the silences of one source; cheap, so never stored."""
    given = held.value
    words = given.transcript.words
    key = silence_key(given.source, given.audio.digest, given.voice, words, given.settings)
    run.store.note(words_document(words))
    found = computed(run, "silence", lambda: heard(given), key)
    if found.silence.nothing_said:
        run.warn(f"{given.source.name}: nobody speaks in it, so nothing was cut")
    return Held(found)
