"""The whole edit from the store, where it was made before."""

from __future__ import annotations

from typing import Any

from tasks.answers import EditRequest, answer, key_of, remember
from tasks.engine import publish, step
from tasks.render.report import report_markdown
from tasks.run import Held, Run


@step("edit", is_cached=lambda held: held.value is not None)
def answer_edit(run: Run, held: Held[EditRequest]) -> Held[dict[str, Any] | None]:
    """Return the report of an edit that was made before; none where there is something to do."""
    held.key = key_of(run.store, held.value)
    found = answer(run.store, held.value, held.key)
    if found is None:
        return Held(None)
    run.record(found.record)
    publish(report_markdown(found.report))
    return Held(found.report)


@step("remember")
def remember_edit(run: Run, held: Held[EditRequest], held_report: Held[dict[str, Any]]) -> None:
    """Keep the answer to an edit, unless something was left out of it."""
    assert held.key is not None
    if not any(record.state == "degraded" for record in run.records):
        remember(run.store, held.value, held.key, held_report.value)
