"""Where faces are, looked for about once a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.analysis.faces import FaceSamples, FaceTrack
from tasks.analysis.subject import follow_subject
from tasks.caching import Made, Stored, stored
from tasks.errors import Missing
from tasks.keys import Key, faces_key
from tasks.media import models
from tasks.media.faces import check_available, detect_faces
from tasks.media.records import Entry
from tasks.run import Run
from tasks.settings import FaceSettings
from tasks.timeline.document import from_document, to_document
from tasks.timeline.model import Source

MODEL = models.FACES


@dataclass(frozen=True, slots=True)
class Looking:
    """A source, and how its faces are looked for."""

    source: Source
    settings: FaceSettings


def _key(_run: Run, given: Looking) -> Key:
    return faces_key(given.source, given.settings, models.sha256_of(MODEL))


def _compute(run: Run, given: Looking, _work: Path) -> Made:
    """Return the path of the face that is followed through a source."""
    check_available()
    model = models.model_path(MODEL)
    path = run.footage[given.source.digest]
    found = detect_faces(path, given.source, given.settings, model, cancelled=run.cancelled)
    return Made(to_document(found))


def _load(_given: Looking, entry: Entry) -> FaceTrack:
    return follow_subject(from_document(FaceSamples, entry.value))


def _without(run: Run, error: Missing) -> FaceTrack:
    run.warn(f"zooms centre the frame: {error.message} ({error.hint})")
    return FaceTrack(())


find_faces = stored(Stored("faces", _key, _compute, _load, _without))
