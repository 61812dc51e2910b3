"""What each file of footage is and holds."""

from __future__ import annotations

from pathlib import Path

import av
from prefect import task

from tasks.caching import STEP, Made, Result, remembered
from tasks.keys import step_key
from tasks.media.probe import probe as probe_file
from tasks.media.store import remembered_digest
from tasks.run import Run
from tasks.settings import SoundSettings
from tasks.timeline.document import from_document, to_document
from tasks.timeline.model import Source


@task(name="probe", **STEP)
def probe(run: Run, path: Path, settings: SoundSettings) -> Result[Source]:
    """Return what a file holds, and remember where it lies."""
    digest = remembered_digest(run.store, path)
    key = step_key(
        "probe",
        inputs={"file": digest, "name": path.name, "track": settings.track},
        tools={"pyav": av.__version__},
    )
    result = remembered(
        run,
        key,
        lambda _: Made(to_document(probe_file(path, digest=digest, track=settings.track)), {}),
        lambda entry: from_document(Source, entry.value),
    )
    run.footage[digest] = path
    return result.state()  # type: ignore[return-value]
