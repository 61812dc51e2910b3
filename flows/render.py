"""Render: chunks and sound side by side, then joined, verified and reported."""

from __future__ import annotations

from pathlib import Path

from tasks.caching import result_of
from tasks.choose_encoder import fallen_back, settled
from tasks.engine import begin, done
from tasks.errors import EncoderFailed
from tasks.join_film import join_film
from tasks.render.chunks import chunks
from tasks.render.plan import RenderPlan
from tasks.render_chunk import Drawing, render_chunk
from tasks.render_sound import render_sound
from tasks.run import Held, Run
from tasks.write_report import Rendered


def render_film(run: Run, plan: RenderPlan, output: Path) -> tuple[RenderPlan, Rendered]:
    """Render a plan into a file; return it as it was rendered: another encoder may stand in."""
    plan = settled(run, plan, output)
    try:
        return plan, render(run, plan, output)
    except EncoderFailed as error:
        plan = fallen_back(run, plan, output, error)
        return plan, render(run, plan, output)


def render(run: Run, plan: RenderPlan, output: Path) -> Rendered:
    """Render a plan into a file."""
    held, parts = Held(plan), chunks(plan)
    run.frames_total = plan.timeline.frames
    sounding = begin(render_sound, run, held) if plan.sound else None
    drawing = [begin(render_chunk, run, Held(Drawing(plan, part))) for part in parts]
    files = [result_of(run, drawn.result()) for drawn in drawing]
    sound = result_of(run, sounding.result()) if sounding else None
    checks = done(join_film, run, held, Held(parts), files, sound, output)
    rendered = sum(r.step == "chunk" and r.state == "miss" for r in run.records)
    return Rendered(checks, len(parts), rendered)
