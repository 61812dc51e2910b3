"""The report of an edit: what was cut and why, what each step cost, what was checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.analysis.transcript import Transcript
from tasks.layers.subtitles import srt_document, vtt_document
from tasks.render.encoders import SPECS
from tasks.render.plan import RenderPlan
from tasks.timeline.document import to_document
from tasks.timeline.model import Check, Timeline

SCHEMA = "finecut/Report.1"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one step did."""

    step: str
    state: str
    """``hit``, ``miss``, ``computed`` (never stored), ``off`` or ``degraded``."""
    seconds: float
    key: str = ""
    fields: Mapping[str, Any] | None = None
    """What the key is the digest of."""
    saved_s: float = 0.0
    """What computing a result took that was found this time."""
    saved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step as the report shows it; its runs with the same end are added up."""

    step: str
    state: str
    seconds: float
    count: int = 1


def step_lines(records: Sequence[StepRecord]) -> tuple[StepLine, ...]:
    """Return a line for each step and state, in order of first finish."""
    sums: dict[tuple[str, str], StepLine] = {}
    for record in records:
        at = (record.step, record.state)
        before = sums.get(at, StepLine(record.step, record.state, 0.0, 0))
        seconds = round(before.seconds + record.seconds, 3)
        sums[at] = StepLine(record.step, record.state, seconds, before.count + 1)
    return tuple(sums.values())


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost this process and its children."""

    wall_s: float
    cpu_s: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; everything about it that is not in the plan."""

    output: str | None
    output_bytes: int
    chunks: int
    chunks_rendered: int
    steps: tuple[StepLine, ...]
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]
    paths: Mapping[str, str]
    """Where each source lies, by digest."""
    artifacts: Mapping[str, str]
    cost: Cost
    excerpt_start_s: float | None = None
    """Where in the film an excerpt starts, in seconds; none: it is the whole film."""


def kept_ranges(plan: RenderPlan) -> list[list[float | int]]:
    """Return ``[source, in_s, out_s]`` of each clip, in source time and timeline order."""
    timeline: Timeline = plan.timeline
    out: list[list[float | int]] = []
    for clip in timeline.clips:
        grid = plan.sources[clip.source].grid(timeline.rate)
        in_s, out_s = grid.time_of(clip.source_in), grid.time_of(clip.source_out)
        out.append([clip.source, round(float(in_s), 6), round(float(out_s), 6)])
    return out


def broll_shown(plan: RenderPlan) -> list[dict[str, Any]]:
    """Return each window of b-roll: which clip, from when to when on the timeline, in seconds."""
    rate, out = plan.timeline.rate, []
    for window in plan.broll.windows if plan.broll else ():
        asset = plan.assets[window.asset]
        times = {
            "in_s": plan.timeline.grid.time_of(window.start_frame),
            "out_s": plan.timeline.grid.time_of(window.end_frame),
            "clip_in_s": asset.grid(rate).time_of(window.asset_in),
        }
        told = {name: round(float(time_s), 6) for name, time_s in times.items()}
        out.append({"clip": asset.name, "digest": asset.digest, **told})
    return out


def report_document(plan: RenderPlan, outcome: Outcome) -> dict[str, Any]:
    """Return the report as JSON: what ``--json`` prints and the report file holds."""
    return {
        "ok": True,
        "schema": SCHEMA,
        "output": outcome.output,
        "summary": _summary(plan, outcome),
        "steps": [
            {"step": s.step, "state": s.state, "seconds": s.seconds, "count": s.count}
            for s in outcome.steps
        ],
        "sources": [
            {
                "path": outcome.paths.get(source.digest, source.name),
                "digest": source.digest,
                "duration_s": round(float(source.duration_s), 3),
            }
            for source in plan.sources
        ],
        "kept": kept_ranges(plan),
        "broll": broll_shown(plan),
        "cuts": [
            {
                "id": cut.id,
                "source": cut.source,
                "in_s": cut.start_s,
                "out_s": cut.end_s,
                "reason": cut.reason,
                "detail": cut.detail,
            }
            for cut in plan.cuts
        ],
        "checks": [
            {"check": c.check, "ok": c.ok, "expected": c.expected, "got": c.got}
            for c in outcome.checks
        ],
        "warnings": list(outcome.warnings),
        "artifacts": dict(outcome.artifacts),
    }


def _summary(plan: RenderPlan, outcome: Outcome) -> dict[str, Any]:
    source_s = sum(float(source.duration_s) for source in plan.sources)
    start_s = outcome.excerpt_start_s
    return {
        **({} if start_s is None else {"excerpt_start_s": round(start_s, 3)}),
        "source_s": round(source_s, 3),
        "output_s": round(float(plan.timeline.grid.time_of(plan.timeline.frames)), 3),
        "frames": plan.timeline.frames,
        "fps": str(plan.timeline.rate),
        "width": plan.canvas.width_px,
        "height": plan.canvas.height_px,
        "cuts": len(plan.cuts),
        "chunks": outcome.chunks,
        "chunks_rendered": outcome.chunks_rendered,
        "encoder": plan.encoding.encoder,
        "preset": plan.encoding.preset,
        "quality": plan.encoding.quality,
        "output_bytes": outcome.output_bytes,
        "wall_s": round(outcome.cost.wall_s, 2),
        "cpu_s": round(outcome.cost.cpu_s, 2),
        "peak_memory_mb": round(outcome.cost.peak_memory_mb, 1),
    }


def report_markdown(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    summary = report["summary"]
    lines = [
        f"# {_cell(report['output'] or 'Plan')}",
        "",
        (
            f"**{told_length(summary)}**; {summary['frames']} frames at "
            f"{summary['fps']} fps, {summary['width']}×{summary['height']}, "
            f"{summary['output_bytes'] / 1e6:.1f} MB."
        ),
        "",
        (
            f"{_encoded(summary)}; "
            f"{summary['chunks_rendered']} of {summary['chunks']} chunks rendered; "
            f"{summary['wall_s']:.1f} s, {summary['cpu_s']:.1f} s of CPU, "
            f"{summary['peak_memory_mb']:.0f} MB at most."
        ),
    ]
    if report["warnings"]:
        lines += ["", "## Warnings", "", *(f"- {_cell(text)}" for text in report["warnings"])]
    lines += _table("Checks", ("check", "ok", "expected", "got"), report["checks"])
    broll = [
        {"clip": shown["clip"], "from": clock(shown["in_s"]), "to": clock(shown["out_s"])}
        for shown in report["broll"]
    ]
    lines += _table("B-roll", ("clip", "from", "to"), broll)
    lines += _table("Steps", ("step", "state", "seconds", "count"), report["steps"])
    cuts = [
        {**cut, "from": clock(cut["in_s"]), "to": clock(cut["out_s"])} for cut in report["cuts"]
    ]
    lines += _table("What was cut", ("id", "source", "from", "to", "reason", "detail"), cuts)
    return "\n".join(lines) + "\n"


def _encoded(summary: Mapping[str, Any]) -> str:
    """Return how the picture was encoded: ``libx264 medium, crf 20``."""
    name = f"{summary['encoder']} {summary['preset']}".strip()
    return f"{name}, {SPECS[summary['encoder']].quality_option} {summary['quality']:g}"


def told_length(summary: Mapping[str, Any]) -> str:
    """Return how long the film is beside its footage, or which part of the film an excerpt is."""
    length_s, start_s = summary["output_s"], summary.get("excerpt_start_s")
    if start_s is not None:
        return f"excerpt {clock(start_s)} to {clock(start_s + length_s)} of the film"
    went_s = summary["source_s"] - length_s
    took = f"{summary['cuts']} cuts took out {went_s:.1f} s"
    return f"{clock(summary['source_s'])} → {clock(length_s)}, {took}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    return [
        "",
        f"## {title}",
        "",
        f"| {' | '.join(columns)} |",
        f"|{' --- |' * len(columns)}",
        *("| " + " | ".join(_cell(row[column]) for column in columns) + " |" for row in rows),
    ]


def _cell(value: Any) -> str:
    """Return a value as text that cannot break out of a Markdown table or become a link or tag."""
    text = {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else str(value)
    escaped = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return escaped.replace("<", "&lt;").replace("[", "\\[")


def clock(time_s: float) -> str:
    """Return a time as ``m:ss.s`` or ``h:mm:ss.s``."""
    tenths = round(time_s * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"


def artifact_names(plan: RenderPlan, transcripts: Sequence[Transcript]) -> dict[str, str]:
    """Return the names of the files that lie beside a film, by what they are."""
    names = {"plan": "plan.json", "report": "report.json", "report_markdown": "report.md"}
    if any(transcript.words for transcript in transcripts):
        names["transcript"] = "transcript.json"
    if plan.subtitles is not None:
        names |= {"srt": "subtitles.srt", "vtt": "subtitles.vtt"}
    return names


def artifact_texts(plan: RenderPlan, transcripts: Sequence[Transcript]) -> dict[str, str]:
    """Return what stands in the files beside a film, but for the report, by what they are."""
    texts = {
        "plan": pretty(plan_document(plan)),
        "transcript": pretty([to_document(transcript) for transcript in transcripts]),
    }
    if plan.subtitles is not None:
        texts["srt"] = srt_document(plan.subtitles.cues, plan.timeline.rate)
        texts["vtt"] = vtt_document(plan.subtitles.cues, plan.timeline.rate)
    return {kind: texts[kind] for kind in artifact_names(plan, transcripts) if kind in texts}


def pretty(document: Any) -> str:
    """Return JSON for people to read."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def plan_document(plan: RenderPlan) -> dict[str, Any]:
    """Return the plan as a document that can be read, edited and rendered later or elsewhere."""
    return to_document(plan)
