"""The whole edit from the store, where it was made before."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.states import Completed

from tasks.answers import EditRequest, answer, key_of, remember
from tasks.caching import NEVER_STORED
from tasks.engine import publish
from tasks.render.report import report_markdown
from tasks.run import Held, Run


@task(name="edit", **NEVER_STORED)
def answer_edit(run: Run, held: Held[EditRequest]) -> Held[dict[str, Any] | None]:
    """Return the report of an edit that was made before; none where there is something to do."""
    held.key = key_of(run.store, held.value)
    found = answer(run.store, held.value, held.key)
    if found is None:
        return Held(None)
    run.record(found.record)
    publish(report_markdown(found.report))
    # Prefect takes a state for what it is, and hands on what it holds.
    return Completed(data=Held(found.report), name="Cached")  # type: ignore[return-value]


@task(name="remember", **NEVER_STORED)
def remember_edit(run: Run, held: Held[EditRequest], held_report: Held[dict[str, Any]]) -> None:
    """Keep the answer to an edit, unless something was left out of it."""
    assert held.key is not None
    if not any(record.state == "degraded" for record in run.records):
        remember(run.store, held.value, held.key, held_report.value)
