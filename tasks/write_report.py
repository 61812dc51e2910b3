"""What lies beside the finished film (plan, words, report), and Prefect's artifact."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.analysis.transcript import Transcript
from tasks.engine import publish, step
from tasks.media.files import write_text
from tasks.media.usage import cpu_s
from tasks.render.chunks import chunks, incoming_color
from tasks.render.graph import chunk_arguments
from tasks.render.plan import RenderPlan
from tasks.render.report import (
    Cost,
    Outcome,
    artifact_names,
    artifact_texts,
    pretty,
    report_document,
    report_markdown,
    step_lines,
)
from tasks.run import Held, Run
from tasks.timeline.model import Check


def cost(run: Run) -> Cost:
    """Return what the run cost: wall time, CPU of this process and its children, peak memory."""
    wall_s = time.monotonic() - run.started_s
    return Cost(wall_s, cpu_s() - run.cpu_before_s, run.memory.stop() / 2**20)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What rendering came to."""

    checks: tuple[Check, ...]
    chunks: int
    chunks_rendered: int
    excerpt_start_s: float | None = None
    """Where in the film an excerpt starts; none: it is the whole film."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The film, and what lies beside it."""

    output: Path | None
    folder: Path | None
    """Where the files go; none: nowhere."""
    transcripts: tuple[Transcript, ...]
    """Of each source."""


def outcome_of(
    run: Run, plan: RenderPlan, beside: Beside, rendered: Rendered, paths: Mapping[str, str]
) -> Outcome:
    """Return what a run came to."""
    output = beside.output
    warnings = [*(text for source in plan.sources for text in source.warnings), *run.all_warnings()]
    return Outcome(
        output=str(output) if output else None,
        output_bytes=output.stat().st_size if output else 0,
        chunks=rendered.chunks or len(chunks(plan)),
        chunks_rendered=rendered.chunks_rendered,
        excerpt_start_s=rendered.excerpt_start_s,
        steps=step_lines(run.records),
        checks=rendered.checks,
        warnings=tuple(dict.fromkeys(warnings)),
        paths={digest: str(path) for digest, path in run.footage.items()},
        artifacts=paths,
        cost=cost(run),
    )


def graphs(plan: RenderPlan) -> list[list[str]]:
    """Return the exact FFmpeg arguments of each chunk."""
    out = []
    for chunk in chunks(plan):
        color = incoming_color(plan, chunk)
        out.append(chunk_arguments(chunk, plan.canvas, color, plan.encoding, "chunk.mp4"))
    return out


@step("report")
def write_report(
    run: Run, held_plan: Held[RenderPlan], held_beside: Held[Beside], held_rendered: Held[Rendered]
) -> Held[dict[str, Any]]:
    """Write the files beside the film and return the report."""
    plan, beside = held_plan.value, held_beside.value
    names = artifact_names(plan, beside.transcripts) if beside.folder else {}
    paths = {kind: str(beside.folder / name) for kind, name in names.items() if beside.folder}
    texts = artifact_texts(plan, beside.transcripts) if paths else {}
    for kind, text in texts.items():
        write_text(Path(paths[kind]), text)
    outcome = outcome_of(run, plan, beside, held_rendered.value, paths)
    report = report_document(plan, outcome)
    markdown = report_markdown(report)
    if paths:
        write_text(Path(paths["report"]), pretty(report))
        write_text(Path(paths["report_markdown"]), markdown)
    publish(markdown)
    return Held(report if beside.output else {**report, "graphs": graphs(plan)})
