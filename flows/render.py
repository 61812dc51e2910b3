"""Render: chunks and sound side by side, then joined, verified and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.caching import result_of
from tasks.choose_encoder import fallen_back, settled, unproven
from tasks.deal_chunks import deal_chunks, find_workers
from tasks.engine import begin, done
from tasks.errors import EncoderFailed
from tasks.join_film import join_film
from tasks.render.batches import Dealing
from tasks.render.chunks import Chunk, chunks
from tasks.render.encoders import Unproven
from tasks.render.excerpt import Excerpt, chosen, moved_to_start, plan_of
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


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a render besides the plan."""

    output: Path
    settings: RenderSettings
    """Where it is rendered, and how it is checked."""
    why_not: Unproven
    """Says of each encoder why it does not work where the film is rendered."""
    excerpt: Excerpt | None = None
    """None: the whole film."""


def render_film(run: Run, plan: RenderPlan, order: Order) -> tuple[RenderPlan, Rendered]:
    """Render a plan into a file; return it as it was rendered.

    Another encoder may stand in, and an excerpt has a plan of its own.
    """
    plan = settled(run, plan, order.output, order.why_not)
    try:
        return render(run, plan, order)
    except EncoderFailed as error:
        plan = fallen_back(run, plan, order.output, error, order.why_not)
        return render(run, plan, order)


def render(run: Run, plan: RenderPlan, order: Order) -> tuple[RenderPlan, Rendered]:
    """Render a plan into a file."""
    settings, parts, shown = order.settings, chunks(plan), plan
    if order.excerpt is not None:
        parts = chosen(plan, parts, order.excerpt)
        shown = plan_of(plan, parts)
    run.frames_total = shown.timeline.frames
    held = Held(shown)
    sounding = begin(render_sound, run, held) if plan.sound else None
    dealt = 0
    if settings.where is Where.POOL:
        # Chunks rendered elsewhere are in the store then, and are taken from there like any other.
        dealt = done(deal_chunks, run, Held(Dealing(plan, parts, settings.pool)))
    elif sounding is not None:
        # One after the other: a muxer holds a line for each packet until its file is closed, which
        # beside an encoder would let the peak grow with the film.
        sounding.result()
    drawing = [begin(render_chunk, run, Held(Drawing(plan, part))) for part in parts]
    ended = [drawn.result() for drawn in drawing]
    files = [result_of(run, reference) for reference in ended]
    sound = result_of(run, sounding.result()) if sounding else None
    held_parts = Held[Sequence[Chunk]](moved_to_start(parts))
    is_full = settings.full_check
    checks = done(join_film, run, held, held_parts, files, sound, order.output, is_full)
    # The records of the run may hold chunks of an encoder that failed before this one.
    keys = {reference["key"] for reference in ended}
    rendered = sum(r.key in keys and r.state == "miss" for r in run.records)
    start_s = float(parts[0].start_frame / plan.timeline.rate) if order.excerpt else None
    return shown, Rendered(checks, len(parts), dealt + rendered, start_s)
