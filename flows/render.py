"""Render: chunks and sound side by side, then joined, verified and reported."""

from __future__ import annotations

from pathlib import Path

from tasks.caching import result_of
from tasks.deal_chunks import deal_chunks, find_workers
from tasks.dealing import Dealing
from tasks.engine import begin, done
from tasks.join_film import join_film
from tasks.render.chunks import chunks
from tasks.render.plan import RenderPlan
from tasks.render_chunk import Drawing, render_chunk
from tasks.render_sound import render_sound
from tasks.run import Held, Run
from tasks.settings import RenderSettings, Where
from tasks.write_report import Rendered


def check_workers(settings: RenderSettings) -> None:
    """See that somebody is there to render, before anything else is worked on."""
    if settings.where is Where.POOL:
        done(find_workers, settings.pool)


def render(run: Run, plan: RenderPlan, output: Path, settings: RenderSettings) -> Rendered:
    """Render a plan into a file; `settings` say where."""
    held, parts = Held(plan), chunks(plan)
    run.frames_total = plan.timeline.frames
    sounding = begin(render_sound, run, held) if plan.sound else None
    dealt = 0
    if settings.where is Where.POOL:
        # Chunks rendered elsewhere are in the store then, and are taken from there like any other.
        dealt = done(deal_chunks, run, Held(Dealing(plan, parts, settings.pool)))
    drawing = [begin(render_chunk, run, Held(Drawing(plan, part))) for part in parts]
    files = [result_of(run, drawn.result()) for drawn in drawing]
    sound = result_of(run, sounding.result()) if sounding else None
    checks = done(join_film, run, held, Held(parts), files, sound, output)
    rendered = sum(r.step == "chunk" and r.state == "miss" for r in run.records)
    return Rendered(checks, len(parts), dealt + rendered)
