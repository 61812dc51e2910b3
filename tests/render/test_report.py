"""The report."""

from __future__ import annotations

import pytest

from tasks.render.report import StepRecord, clock, report_markdown, step_lines


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00.0"), (59.96, "1:00.0"), (83.25, "1:23.2"), (3723.4, "1:02:03.4")],
)
def test_clock(time_s: float, text: str) -> None:
    assert clock(time_s) == text


def test_runs_of_a_step_are_added_up() -> None:
    records = [
        StepRecord("chunk", "miss", 1.5),
        StepRecord("join", "computed", 0.1),
        StepRecord("chunk", "miss", 2.0),
        StepRecord("chunk", "hit", 0.1),
    ]

    lines = step_lines(records)

    assert [(line.step, line.state, line.seconds, line.count) for line in lines] == [
        ("chunk", "miss", 3.5, 2),
        ("join", "computed", 0.1, 1),
        ("chunk", "hit", 0.1, 1),
    ]


def test_hostile_names_cannot_break_the_tables() -> None:
    summary = {
        "source_s": 9.0, "output_s": 5.0, "cuts": 1, "frames": 150, "fps": "30", "width": 64,
        "height": 64, "output_bytes": 10, "encoder": "libx264", "preset": "medium", "quality": 20.0,
        "chunks_rendered": 1, "chunks": 1, "wall_s": 1.0, "cpu_s": 1.0, "peak_memory_mb": 100.0,
    }  # fmt: skip
    cut = {"id": "a", "source": 0, "in_s": 0.0, "out_s": 1.0, "reason": "a|b\nc", "detail": "<b>"}
    report = {
        "output": "x|[y](z).mp4", "summary": summary, "warnings": [], "checks": [], "steps": [],
        "cuts": [cut], "broll": [],
    }  # fmt: skip

    text = report_markdown(report)

    assert "a\\|b c" in text
    assert "&lt;b>" in text
    assert "\\[y]" in text
