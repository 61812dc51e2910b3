"""What lies beside the finished film: plan, transcript, subtitles, report; and Prefect's artifact."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from tasks.analysis.transcript import Transcript
from tasks.caching import STEP
from tasks.layers.subtitles import srt_document, vtt_document
from tasks.media.files import write_text
from tasks.render.chunks import chunks
from tasks.render.graph import chunk_arguments
from tasks.render.plan import RenderPlan
from tasks.render.report import (
    Cost,
    Outcome,
    StepLine,
    plan_document,
    report_document,
    report_markdown,
)
from tasks.run import Held, Run, StepRecord, cpu_s
from tasks.timeline.document import to_document
from tasks.timeline.model import Check


def pretty(document: Any) -> str:
    """Return JSON for people to read."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def artifact_paths(folder: Path, plan: RenderPlan, has_words: bool) -> dict[str, str]:
    """Return the files beside the film, by what they are."""
    names = {"plan": "plan.json", "report": "report.json", "report_markdown": "report.md"}
    if has_words:
        names["transcript"] = "transcript.json"
    if plan.subtitles is not None:
        names |= {"srt": "subtitles.srt", "vtt": "subtitles.vtt"}
    return {kind: str(folder / name) for kind, name in names.items()}


def write_artifacts(
    paths: Mapping[str, str], plan: RenderPlan, transcripts: Sequence[Transcript]
) -> None:
    """Write all but the report."""
    write_text(Path(paths["plan"]), pretty(plan_document(plan)))
    if "transcript" in paths:
        documents = [to_document(transcript) for transcript in transcripts]
        write_text(Path(paths["transcript"]), pretty(documents))
    if plan.subtitles is not None and "srt" in paths:
        rate = plan.timeline.rate
        write_text(Path(paths["srt"]), srt_document(plan.subtitles.cues, rate))
        write_text(Path(paths["vtt"]), vtt_document(plan.subtitles.cues, rate))


def step_lines(records: Sequence[StepRecord]) -> tuple[StepLine, ...]:
    """Return the records, those of one step and one state added up, in order of first finish."""
    sums: dict[tuple[str, str], StepLine] = {}
    for record in records:
        at = (record.step, record.state)
        before = sums.get(at, StepLine(record.step, record.state, 0.0, 0))
        seconds = round(before.seconds + record.seconds, 3)
        sums[at] = StepLine(record.step, record.state, seconds, before.count + 1)
    return tuple(sums.values())


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
    warnings = [*(text for source in plan.sources for text in source.warnings), *run.warnings]
    return Outcome(
        output=str(output) if output else None,
        output_bytes=output.stat().st_size if output else 0,
        chunks=rendered.chunks or len(chunks(plan)),
        chunks_rendered=rendered.chunks_rendered,
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
        video = plan.sources[chunk.clips[0].source].video
        color = video.color if video else plan.canvas.color
        out.append(chunk_arguments(chunk, plan.canvas, color, plan.encoding, "chunk.mp4"))
    return out


@task(name="report", **STEP)
def write_report(
    run: Run, held_plan: Held[RenderPlan], held_beside: Held[Beside], held_rendered: Held[Rendered]
) -> Held[dict[str, Any]]:
    """Write the files beside the film and return the report."""
    plan, beside = held_plan.value, held_beside.value
    has_words = any(transcript.words for transcript in beside.transcripts)
    paths = artifact_paths(beside.folder, plan, has_words) if beside.folder else {}
    if paths:
        write_artifacts(paths, plan, beside.transcripts)
    outcome = outcome_of(run, plan, beside, held_rendered.value, paths)
    report = report_document(plan, outcome)
    markdown = report_markdown(report)
    if paths:
        write_text(Path(paths["report"]), pretty(report))
        write_text(Path(paths["report_markdown"]), markdown)
    create_markdown_artifact(markdown, key="finecut-report", description="What the edit did")
    return Held(report if beside.output else {**report, "graphs": graphs(plan)})
