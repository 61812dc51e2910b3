"""Render: chunks and sound side by side, then joined, verified and reported."""

from __future__ import annotations

from pathlib import Path

from tasks.caching import result_of
from tasks.choose_encoder import fallen_back, settled, unproven
from tasks.deal_chunks import deal_chunks, find_workers
from tasks.dealing import Dealing
from tasks.engine import begin, done
from tasks.errors import EncoderFailed
from tasks.join_film import join_film
from tasks.render.chunks import chunks
from tasks.render.encoders import Unproven
from tasks.render.plan import RenderPlan
from tasks.render_chunk import Drawing, render_chunk
from tasks.render_sound import render_sound
from tasks.run import Held, Run
from tasks.settings import RenderSettings, Where
from tasks.write_report import Rendered


def what_encodes(run: Run, settings: RenderSettings) -> Unproven:
    """Return what tells which encoders work where the film is rendered.

    Called before anything is worked on: a pool that nobody serves is told of then.
    """
    if settings.where is Where.POOL:
        return done(find_workers, run, settings.pool).value
    return unproven


def render_film(
    run: Run, plan: RenderPlan, output: Path, settings: RenderSettings, why_not: Unproven
) -> tuple[RenderPlan, Rendered]:
    """Render a plan into a file; return it as it was rendered: another encoder may stand in.

    `why_not` says of each encoder why it does not work where the film is rendered.
    """
    plan = settled(run, plan, output, why_not)
    try:
        return plan, render(run, plan, output, settings)
    except EncoderFailed as error:
        plan = fallen_back(run, plan, output, error, why_not)
        return plan, render(run, plan, output, settings)


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
    checks = done(join_film, run, held, Held(parts), files, sound, output, settings.full_check)
    rendered = sum(r.step == "chunk" and r.state == "miss" for r in run.records)
    return Rendered(checks, len(parts), dealt + rendered)
