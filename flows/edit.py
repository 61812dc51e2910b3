"""The flows: edit footage into a film, and render a plan that was made before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows.analyze import analyze
from flows.render import render_film, what_encodes
from tasks.answer_edit import answer_edit, remember_edit
from tasks.answers import EditRequest, run_request
from tasks.build_timeline import build_timeline
from tasks.engine import done
from tasks.find_footage import find_footage
from tasks.plan_render import Decided, plan_render
from tasks.render.checking import plan_from
from tasks.render.history import RunRequest
from tasks.render.plan import settings_of
from tasks.run import Held, Run
from tasks.settings import DEFAULT_POOL, EditSettings, RenderSettings, Where
from tasks.write_report import Beside, Rendered, write_report

WORKERS = max(3, (os.cpu_count() or 2) // 2 + 1)
"""Tasks at once: one chunk keeps four encoder threads busy, and sound and faces run beside."""

RUNNER: Any = ThreadPoolTaskRunner(max_workers=WORKERS)

NOTHING_RENDERED = Rendered((), 0, 0)


def _run_name() -> str:
    videos = flow_run.parameters.get("videos") or [flow_run.parameters["output"]]
    more = f" and {len(videos) - 1} more" if len(videos) > 1 else ""
    return f"{Path(str(videos[0])).name}{more}"


@flow(
    name="edit",
    flow_run_name=_run_name,
    task_runner=RUNNER,
    persist_result=False,
)
def edit(
    videos: list[Path],
    output: Path | None = None,
    artifacts: Path | None = None,
    settings: EditSettings = EditSettings(),  # noqa: B008 - frozen, and Prefect's form shows it
    preview: bool = False,  # noqa: FBT001, FBT002 - a parameter of the form
    plan: Path | None = None,
) -> dict[str, Any]:
    """Edit one or several files that make up one talk, in order.

    Args:
        videos: the footage.
        output: the film; none: only plan it.
        artifacts: folder for plan, transcript, subtitles and report; none: write none.
        settings: all settings.
        preview: render small and fast.
        plan: where to write the plan by itself.

    Returns:
        The report, as ``--json`` prints it.
    """
    suffix = output.suffix if output else ""
    settings = settings_of(settings, is_preview=preview, suffix=suffix)
    run = Run({})
    with run.noted(run_request(run.store, videos, output, settings, preview=preview)):
        if output is None:
            return _edited(run, videos, None, artifacts, settings, plan)
        asked = Held(EditRequest(tuple(videos), output, artifacts, settings))
        report = done(answer_edit, run, asked).value
        if report is None:
            report = _edited(run, videos, output, artifacts, settings, plan)
            done(remember_edit, run, asked, Held(report))
        return report


def _edited(
    run: Run,
    videos: list[Path],
    output: Path | None,
    artifacts: Path | None,
    settings: EditSettings,
    plan: Path | None,
) -> dict[str, Any]:
    """Analyse, decide and render; return the report."""
    why_not = what_encodes(run, settings.render)
    found = analyze(run, videos, settings)
    cut = done(build_timeline, run, Held(found.sources), Held(found.heard), settings).value
    words = tuple(heard.words if heard else () for heard in found.heard)
    decided = Decided(found.sources, cut.timeline, cut.cuts, words, found.faces, found.assets)
    planned = done(plan_render, run, Held(decided), settings, plan, why_not).value
    rendered = NOTHING_RENDERED
    if output:
        planned, rendered = render_film(run, planned, output, settings.render, why_not)
    beside = Beside(output, artifacts, found.transcripts)
    return done(write_report, run, Held(planned), Held(beside), Held(rendered)).value


@flow(
    name="render",
    flow_run_name=_run_name,
    task_runner=RUNNER,
    persist_result=False,
)
def render_document(
    document: dict[str, Any],
    roots: list[Path],
    output: Path,
    artifacts: Path | None = None,
    where: Where = Where.LOCAL,
    pool: str = DEFAULT_POOL,
) -> dict[str, Any]:
    """Render a plan that was written before.

    Args:
        document: the plan.
        roots: files and folders in which the footage is looked for, by its content.
        output: the film.
        artifacts: folder for the report; none: write none.
        where: who renders.
        pool: the work pool, where that renders.
    """
    run = Run({})
    planned, by = plan_from(document), RenderSettings(where=where, pool=pool)
    sources = tuple((source.name, source.digest) for source in planned.sources)
    with run.noted(RunRequest(sources, str(output), {})):
        why_not = what_encodes(run, by)
        done(find_footage, run, Held(planned), roots, output)
        planned, rendered = render_film(run, planned, output, by, why_not)
        beside = Beside(output, artifacts, ())
        return done(write_report, run, Held(planned), Held(beside), Held(rendered)).value
