"""Render: chunks and sound side by side, then joined, verified and reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.join_film import join_film
from tasks.render.chunks import chunks
from tasks.render.plan import RenderPlan
from tasks.render_chunk import render_chunk
from tasks.render_sound import render_sound
from tasks.run import Held, Run
from tasks.write_report import Rendered


def render(run: Run, plan: RenderPlan, output: Path) -> Rendered:
    """Render a plan into a file."""
    held, parts = Held(plan), chunks(plan)
    run.frames_total = plan.timeline.frames
    sounding = render_sound.submit(run, held) if plan.sound else None
    drawing = [render_chunk.submit(run, held, Held(part)) for part in parts]
    drawn = [future.result() for future in drawing]
    sound = sounding.result().value if sounding else None
    files: Sequence[Path] = [result.value for result in drawn]
    joining = join_film.submit(run, held, Held(parts), files, sound, output)
    rendered = sum(result.record.state == "miss" for result in drawn)
    return Rendered(joining.result().value, len(parts), rendered)
