"""The report."""

from __future__ import annotations

import pytest

from tasks.layers.broll import BrollLayer, BrollWindow
from tasks.render.report import StepRecord, broll_shown, clock, report_markdown, step_lines
from tasks.timeline.model import Clip
from tests.builders import made_up_source, render_plan


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
        "cuts": [cut], "broll": [{"clip": "b|ch.mp4", "in_s": 1.5, "out_s": 63.0}],
    }  # fmt: skip

    text = report_markdown(report)

    assert "a\\|b c" in text
    assert "| b\\|ch.mp4 | 0:01.5 | 1:03.0 |" in text
    assert "&lt;b>" in text
    assert "\\[y]" in text


def test_b_roll_is_listed_in_timeline_time() -> None:
    plan = render_plan(
        [made_up_source()],
        [Clip(0, 100, 300)],
        assets=(made_up_source("cd" * 32),),
        broll=BrollLayer((BrollWindow(50, 125, 0, 25),)),
    )

    assert broll_shown(plan) == [
        {"clip": "a.mp4", "digest": "cd" * 32, "in_s": 2.0, "out_s": 5.0, "clip_in_s": 1.0}
    ]
    assert broll_shown(render_plan([made_up_source()], [Clip(0, 0, 9)])) == []
