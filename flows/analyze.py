"""Analyse: probe first, then sound and faces side by side, then voice, words and silences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.analysis.faces import FaceTrack
from tasks.analysis.transcript import Transcript
from tasks.caching import off
from tasks.detect_faces import find_faces
from tasks.detect_silence import Heard, detect_silence
from tasks.detect_voice import detect_voice
from tasks.extract_audio import extract_audio
from tasks.probe import probe
from tasks.run import Held, Run
from tasks.settings import EditSettings
from tasks.timeline.model import Source
from tasks.transcribe import transcribe_speech

NO_FACE = FaceTrack(())
NO_WORDS = Transcript("", ())


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of each source, in the order of the footage."""

    sources: tuple[Source, ...]
    heard: tuple[Heard | None, ...]
    transcripts: tuple[Transcript, ...]
    faces: tuple[FaceTrack, ...]


def analyze(run: Run, paths: Sequence[Path], settings: EditSettings) -> Analysis:
    """Return the analysis of the footage."""
    probing = [probe.submit(run, path, settings.sound) for path in paths]
    sources = tuple(future.result().value for future in probing)
    wants_faces = settings.faces.enabled and settings.zoom.enabled and settings.zoom.max > 1
    # Faces are looked for while the sound is worked on.
    looking = [
        find_faces.submit(run, Held(source), settings.faces) for source in sources if wants_faces
    ]
    if not wants_faces:
        off(run, "faces")
    listened = [_listen(run, source, settings) for source in sources]
    faces = tuple(future.result().value for future in looking)
    return Analysis(
        sources,
        tuple(heard for heard, _ in listened),
        tuple(transcript for _, transcript in listened),
        faces or (NO_FACE,) * len(sources),
    )


def _listen(run: Run, source: Source, settings: EditSettings) -> tuple[Heard | None, Transcript]:
    """Return what the sound of one source says; nothing where it has none."""
    if source.audio is None:
        return None, NO_WORDS
    audio = Held(extract_audio.submit(run, Held(source)).result().value)
    voice = Held(detect_voice.submit(run, audio).result().value)
    transcript = NO_WORDS
    if settings.transcript.enabled:
        speaking = transcribe_speech.submit(run, Held(source), audio, voice, settings.transcript)
        transcript = speaking.result().value
    else:
        off(run, "transcript")
    listening = detect_silence.submit(
        run, Held(source), audio, voice, Held(transcript), settings.silence
    )
    return listening.result().value, transcript
