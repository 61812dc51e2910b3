"""What is known of each film, kept as one document under the film's digest."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.analysis.faces import FaceTrack
from tasks.analysis.transcript import Transcript
from tasks.detect_silence import Heard
from tasks.engine import step
from tasks.render.history import film_document
from tasks.run import Held, Run
from tasks.timeline.model import Source


@step("films")
def note_films(
    run: Run,
    held_sources: Held[Sequence[Source]],
    held_heard: Held[Sequence[Heard | None]],
    held_transcripts: Held[Sequence[Transcript]],
    held_faces: Held[Sequence[FaceTrack]],
) -> None:
    """Keep what was found out about each source, in the order of the footage."""
    columns = (held_sources.value, held_heard.value, held_transcripts.value, held_faces.value)
    for source, heard, transcript, faces in zip(*columns, strict=True):
        silence = heard.silence if heard else None
        run.store.note_film(source.digest, film_document(source, transcript, silence, faces))
