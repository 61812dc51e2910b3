"""Footage into a film, and a plan that was made before into one: what the flows do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flows.analyze import analyze
from flows.render import Order, render_film, what_encodes
from tasks.answer_edit import answer_edit, remember_edit
from tasks.answers import EditRequest, run_request
from tasks.build_timeline import build_timeline
from tasks.engine import done
from tasks.find_footage import find_footage
from tasks.media.files import read_plan
from tasks.plan_render import Decided, plan_render
from tasks.render.checking import plan_from
from tasks.render.excerpt import Excerpt
from tasks.render.history import RunRequest
from tasks.render.plan import settings_of
from tasks.run import Held, Run
from tasks.settings import DEFAULT_POOL, EditSettings, RenderSettings, Where
from tasks.write_report import Beside, Rendered, write_report

WORKERS = max(3, (os.cpu_count() or 2) // 2 + 1)
"""Tasks at once: one chunk keeps four encoder threads busy, and sound and faces run beside."""

NOTHING_RENDERED = Rendered((), 0, 0)


def edit(
    videos: list[Path],
    output: Path | None = None,
    artifacts: Path | None = None,
    settings: EditSettings = EditSettings(),  # noqa: B008 - frozen, and Prefect's form shows it
    preview: bool = False,  # noqa: FBT001, FBT002 - a parameter of the form
    plan: Path | None = None,
    excerpt: Excerpt | None = None,
) -> dict[str, Any]:
    """Edit one or several files that make up one talk, in order.

    Args:
        videos: the footage.
        output: the film; none: only plan it.
        artifacts: folder for plan, transcript, subtitles and report; none: write none.
        settings: all settings.
        preview: render small and fast.
        plan: where to write the plan by itself.
        excerpt: render this stretch of the film alone.

    Returns:
        The report, as ``--json`` prints it.
    """
    suffix = output.suffix if output else ""
    settings = settings_of(settings, is_preview=preview, suffix=suffix)
    run = Run({})
    with run.noted(run_request(run.store, videos, output, settings, preview=preview)):
        if output is None:
            return _edited(run, videos, artifacts, settings, plan, None)
        asked = Held(EditRequest(tuple(videos), output, artifacts, settings))
        report = None if excerpt else done(answer_edit, run, asked).value
        if report is None:
            order = Order(output, settings.render, what_encodes(run, settings.render), excerpt)
            report = _edited(run, videos, artifacts, settings, plan, order)
            if excerpt is None:
                done(remember_edit, run, asked, Held(report))
        return report


def _edited(
    run: Run,
    videos: list[Path],
    artifacts: Path | None,
    settings: EditSettings,
    plan: Path | None,
    order: Order | None,
) -> dict[str, Any]:
    """Analyse, decide and render; return the report."""
    why_not = order.why_not if order else what_encodes(run, settings.render)
    found = analyze(run, videos, settings)
    cut = done(build_timeline, run, Held(found.sources), Held(found.heard), settings).value
    words = tuple(heard.words if heard else () for heard in found.heard)
    decided = Decided(found.sources, cut.timeline, cut.cuts, words, found.faces, found.assets)
    planned = done(plan_render, run, Held(decided), settings, plan, why_not).value
    rendered = NOTHING_RENDERED
    if order:
        planned, rendered = render_film(run, planned, order)
    beside = Beside(order.output if order else None, artifacts, found.transcripts)
    return done(write_report, run, Held(planned), Held(beside), Held(rendered)).value


def render_document(
    plan: Path | dict[str, Any],
    roots: list[Path],
    output: Path,
    artifacts: Path | None = None,
    where: Where = Where.LOCAL,
    pool: str = DEFAULT_POOL,
    full_check: bool = False,  # noqa: FBT001, FBT002 - a parameter of the form
    excerpt: Excerpt | None = None,
) -> dict[str, Any]:
    """Render a plan that was written before.

    Args:
        plan: the file that holds it, or a plan that is small as a document.
        roots: files and folders in which the footage is looked for, by its content.
        output: the film.
        artifacts: folder for the report; none: write none.
        where: who renders.
        pool: the work pool, where that renders.
        full_check: decode the film to its end.
        excerpt: render this stretch of the film alone.
    """
    run = Run({})
    planned = plan_from(read_plan(plan) if isinstance(plan, Path) else plan)
    by = RenderSettings(where=where, pool=pool, full_check=full_check)
    sources = tuple((source.name, source.digest) for source in planned.sources)
    with run.noted(RunRequest(sources, str(output), {})):
        why_not = what_encodes(run, by)
        done(find_footage, run, Held(planned), roots, output)
        order = Order(output, by, why_not, excerpt)
        planned, rendered = render_film(run, planned, order)
        beside = Beside(output, artifacts, ())
        return done(write_report, run, Held(planned), Held(beside), Held(rendered)).value
