"""An edit that was made before, answered from the store before Prefect is loaded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.settings import EditSettings


def answered(
    videos: Sequence[Path],
    output: Path,
    artifacts: Path | None,
    settings: EditSettings,
    *,
    preview: bool,
) -> dict[str, Any] | None:
    """Return the report of an edit that was made before; none where there is something to do."""
    from tasks.answers import Asked, answer, asking
    from tasks.media.store import open_store
    from tasks.render.history import run_document
    from tasks.render.plan import preview as preview_settings
    from tasks.run import run_id

    if preview:
        settings = settings.model_copy(update={"render": preview_settings(settings.render)})
    started_s, store = time.time(), open_store()
    asked = Asked(tuple(videos), output, artifacts, settings)
    store.sweep()
    found = answer(store, asked)
    if found is None:
        return None
    told = asking(store, videos, output, settings, preview=preview)
    wall_s = found.record.seconds
    store.note_run(run_document(run_id(started_s), started_s, wall_s, told, [found.record]))
    return found.report
