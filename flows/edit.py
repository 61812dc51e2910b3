"""The flows: edit footage into a film, and render a plan that was made before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows import film

RUNNER: Any = ThreadPoolTaskRunner(max_workers=film.WORKERS)


def _run_name() -> str:
    videos = flow_run.parameters.get("videos") or [flow_run.parameters["output"]]
    more = f" and {len(videos) - 1} more" if len(videos) > 1 else ""
    return f"{Path(str(videos[0])).name}{more}"


edit = flow(name="edit", flow_run_name=_run_name, task_runner=RUNNER, persist_result=False)(
    film.edit
)
render_document = flow(
    name="render", flow_run_name=_run_name, task_runner=RUNNER, persist_result=False
)(film.render_document)
