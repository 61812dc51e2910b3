"""What is remembered of runs and films: for `finecut why`, and for whoever wants to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.analysis.faces import FaceTrack
from tasks.analysis.silence import SilenceMap
from tasks.analysis.transcript import Transcript
from tasks.render.report import StepRecord
from tasks.timeline.document import to_document
from tasks.timeline.model import Source

RUN = "finecut/Run.1"
FILM = "finecut/Film.1"

LARGE = frozenset({"chunk"})
"""Steps whose fields are looked up in the store, for they would fill a run's document."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run was asked for."""

    videos: tuple[tuple[str, str], ...]
    """Path and digest of each file; the digest is empty where it could not be read."""
    output: str | None
    settings: Mapping[str, Any]
    preview: bool = False


def run_document(
    run: str,
    started_s: float,
    wall_s: float,
    request: RunRequest,
    records: Sequence[StepRecord],
    error: str = "",
) -> dict[str, Any]:
    """Return the document of a run.

    Args:
        run: its id.
        started_s: when it started, in unix time.
        wall_s: how long it took.
        request: what it was asked for.
        records: what its steps did.
        error: why it failed; empty where it did not.
    """
    return {
        "schema": RUN,
        "id": run,
        "started_s": started_s,
        "wall_s": round(wall_s, 3),
        "ok": not error,
        "error": error,
        "videos": [{"path": path, "digest": digest} for path, digest in request.videos],
        "output": request.output,
        "settings": dict(request.settings),
        "preview": request.preview,
        "steps": [
            {
                "step": record.step,
                "state": record.state,
                "seconds": record.seconds,
                "key": record.key,
                "fields": None if record.step in LARGE else record.fields,
                "saved_s": record.saved_s,
                "saved_bytes": record.saved_bytes,
            }
            for record in records
        ],
    }


def film_document(
    source: Source, transcript: Transcript, silence: SilenceMap | None, faces: FaceTrack
) -> dict[str, Any]:
    """Return what is known of one file of footage, as the last run found it."""
    return {
        "schema": FILM,
        "digest": source.digest,
        "name": source.name,
        "duration_s": round(float(source.duration_s), 6),
        "rate": str(source.video.rate) if source.video else None,
        "source": to_document(source),
        "transcript": to_document(transcript),
        "silence": to_document(silence) if silence else None,
        "faces": to_document(faces),
        "warnings": list(source.warnings),
    }
