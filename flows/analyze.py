"""Analyse: probe first, then sound and faces side by side, then voice, words and silences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.analysis.faces import FaceTrack
from tasks.analysis.transcript import Transcript
from tasks.caching import off, result_of
from tasks.detect_faces import Looking, find_faces
from tasks.detect_silence import Heard, Hearing, detect_silence
from tasks.detect_voice import Listening, detect_voice
from tasks.engine import begin, done
from tasks.extract_audio import extract_audio
from tasks.find_assets import find_assets
from tasks.note_films import note_films
from tasks.probe import Probing, probe
from tasks.run import Held, Run
from tasks.settings import EditSettings
from tasks.timeline.model import Source
from tasks.transcribe import transcribed

NO_FACE = FaceTrack(())
NO_WORDS = Transcript("", ())


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of each source, in the order of the footage."""

    sources: tuple[Source, ...]
    heard: tuple[Heard | None, ...]
    transcripts: tuple[Transcript, ...]
    faces: tuple[FaceTrack, ...]
    assets: tuple[Source | None, ...]
    """What each clip of b-roll is, in the order of the settings."""


def analyze(run: Run, paths: Sequence[Path], settings: EditSettings) -> Analysis:
    """Return the analysis of the footage."""
    probing = [begin(probe, run, Held(Probing(path, settings.sound))) for path in paths]
    sources = tuple(result_of(run, future.result()) for future in probing)
    assets = find_assets(run, settings.broll, len(paths))
    wants_faces = settings.faces.enabled and settings.zoom.enabled and settings.zoom.max > 1
    # Faces are looked for while the sound is worked on.
    looking = [
        begin(find_faces, run, Held(Looking(source, settings.faces)))
        for source in sources
        if wants_faces
    ]
    if not wants_faces:
        off(run, "faces")
    listened = [_listen(run, source, settings) for source in sources]
    faces = tuple(result_of(run, future.result()) for future in looking)
    found = Analysis(
        sources,
        tuple(heard for heard, _ in listened),
        tuple(transcript for _, transcript in listened),
        faces or (NO_FACE,) * len(sources),
        assets,
    )
    done(
        note_films,
        run,
        Held(found.sources),
        Held(found.heard),
        Held(found.transcripts),
        Held(found.faces),
    )
    return found


def _listen(run: Run, source: Source, settings: EditSettings) -> tuple[Heard | None, Transcript]:
    """Return what the sound of one source says; nothing where it has none."""
    if source.audio is None:
        return None, NO_WORDS
    audio = result_of(run, done(extract_audio, run, Held(source)))
    voice = result_of(run, done(detect_voice, run, Held(Listening(source, audio))))
    transcript = NO_WORDS
    if settings.transcript.enabled:
        transcript = transcribed(run, source, audio, voice, settings.transcript)
    else:
        off(run, "transcript")
    hearing = Held(Hearing(source, audio, voice, transcript, settings.silence))
    return done(detect_silence, run, hearing).value, transcript
