"""How a run gets on: a live view on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tasks.render.report import StepRecord

MARKS = {"hit": "[green]✓ kept", "miss": "[green]✓", "computed": "[green]✓", "off": "[dim]off"}
QUIET_STEPS = ("chunk", "zoom", "subtitles", "timeline")
"""Steps that the frame bar shows, or that take no time worth a line."""


class Quiet:
    """Listens and says nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def started(self, step: str) -> None:
        """Say nothing."""

    def finished(self, record: StepRecord) -> None:
        """Say nothing."""

    def frames(self, done: int, total: int) -> None:
        """Say nothing."""


class Live:
    """A line for each step, and a bar with the time left for the frames."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._steps: dict[str, TaskID] = {}

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def started(self, step: str) -> None:
        if step not in QUIET_STEPS and step not in self._steps:
            self._steps[step] = self._progress.add_task(step, total=None, note="")

    def finished(self, record: StepRecord) -> None:
        if record.step in QUIET_STEPS:
            return
        self.started(record.step)
        note = MARKS.get(record.state, f"[yellow]{record.state}")
        self._progress.update(self._steps[record.step], total=1, completed=1, note=note)

    def frames(self, done: int, total: int) -> None:
        if "frames" not in self._steps:
            self._steps["frames"] = self._progress.add_task("frames", total=total, note="")
        if done % 10 == 0 or done >= total:
            note = f"{done}/{total}"
            self._progress.update(self._steps["frames"], completed=done, note=note)


def view(*, quiet: bool) -> Quiet | Live:
    """Return the live view where somebody watches a terminal, else one that says nothing."""
    return Quiet() if quiet or not sys.stderr.isatty() else Live()
