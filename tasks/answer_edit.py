"""The whole edit from the store, where it was made before."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from tasks.answers import Asked, answer, key_of, remember
from tasks.caching import STEP
from tasks.render.report import StepRecord, report_markdown
from tasks.run import Held, Run


@task(name="edit", **STEP)
def answer_edit(run: Run, held: Held[Asked]) -> Held[dict[str, Any] | None]:
    """Return the report of an edit that was made before; none where there is something to do."""
    asked = held.value
    report = answer(run.store, asked)
    if report is None:
        return Held(None)
    key = key_of(run.store, asked)
    seconds, saved_s = report["steps"][0]["seconds"], 0.0
    run.record(StepRecord("edit", "hit", seconds, key.digest, key.fields, saved_s))
    markdown = report_markdown(report)
    create_markdown_artifact(markdown, key="finecut-report", description="What the edit did")
    # Prefect takes a state for what it is, and hands on what it holds.
    return Completed(data=Held(report), name="Cached")  # type: ignore[return-value]


@task(name="remember", **STEP)
def remember_edit(run: Run, held: Held[Asked], held_report: Held[dict[str, Any]]) -> None:
    """Keep the answer to an edit, unless something was left out of it."""
    if not any(record.state == "degraded" for record in run.records):
        remember(run.store, held.value, held_report.value)
