"""Where faces are, looked for about once a second."""

from __future__ import annotations

from importlib.metadata import version

from prefect import task

from tasks.analysis.faces import FaceSamples, FaceTrack
from tasks.analysis.subject import follow_subject
from tasks.caching import STEP, Made, Result, degraded, remembered
from tasks.errors import Missing
from tasks.keys import step_key
from tasks.media import models
from tasks.media.faces import check_available, detect_faces
from tasks.run import Held, Run
from tasks.settings import FaceSettings
from tasks.timeline.document import from_document, to_document
from tasks.timeline.model import Source

MODEL = "face-full-range"


@task(name="faces", **STEP)
def find_faces(run: Run, held_source: Held[Source], settings: FaceSettings) -> Result[FaceTrack]:
    """Return the path of the face that is followed through a source.

    Without MediaPipe's libraries or its model there is no face, and a warning says what to do.
    """
    source = held_source.value
    try:
        check_available()
        model = models.model_path(MODEL)
    except Missing as error:
        degraded(run, "faces", f"zooms centre the frame: {error.message} ({error.hint})")
        return Result(FaceTrack(()), run.records[-1])
    key = step_key(
        "faces",
        inputs={"file": source.digest, "video": to_document(source.video)},
        settings=settings,
        tools={"detector": f"mediapipe {version('mediapipe')}", "model": models.file_sha256(model)},
    )
    path = run.footage[source.digest]
    result = remembered(
        run,
        key,
        lambda _: Made(
            to_document(detect_faces(path, source, settings, model, cancelled=run.cancelled)), {}
        ),
        lambda entry: follow_subject(from_document(FaceSamples, entry.value)),
    )
    return result.state()  # type: ignore[return-value]
