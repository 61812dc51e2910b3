"""What a command prints: one JSON object, or a few lines for people; and errors as one message."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from tasks.errors import FinecutError
from tasks.render.report import clock, told_length

LONGEST_LIST = 12
"""Lines of cuts that a dry run shows; the report has them all."""


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    json.dump(document, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def print_error(error: FinecutError, *, as_json: bool) -> None:
    """Print an error: as JSON on standard output, else as text on standard error."""
    if as_json:
        told = {"code": error.code, "message": error.message, "hint": error.hint}
        print_json({"ok": False, "error": told})
        return
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold red]finecut:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        console.print(f"[dim]→ {escape(error.hint)}[/]", soft_wrap=True)


def print_report(report: Mapping[str, Any]) -> None:
    """Print what an edit came to, for people."""
    console = Console(highlight=False)
    summary = report["summary"]
    out = report["output"]
    rendered = f"{summary['chunks_rendered']} of {summary['chunks']} chunks rendered"
    if out:
        console.print(f"[bold]{escape(out)}[/]", soft_wrap=True)
    console.print(
        f"{told_length(summary)}; "
        f"{summary['width']}×{summary['height']} at {_rate(summary['fps'])} fps"
        + (f"; {rendered}, {summary['wall_s']:.0f} s" if out else ""),
        soft_wrap=True,
    )
    for warning in report["warnings"]:
        console.print(f"[yellow]! {escape(warning)}[/]", soft_wrap=True)
    folder = report["artifacts"].get("report_markdown")
    if folder:
        console.print(f"[dim]{escape(folder)}[/]", soft_wrap=True)


def print_cuts(report: Mapping[str, Any]) -> None:
    """Print what would be cut."""
    console = Console(highlight=False)
    cuts = report["cuts"]
    for cut in cuts[:LONGEST_LIST]:
        span = f"{clock(cut['in_s'])} – {clock(cut['out_s'])}"
        console.print(f"  {span}  {escape(cut['reason'])}: {escape(cut['detail'])}")
    if len(cuts) > LONGEST_LIST:
        console.print(f"  … and {len(cuts) - LONGEST_LIST} more")


def print_graphs(report: Mapping[str, Any]) -> None:
    """Print the exact FFmpeg arguments of each chunk."""
    console = Console(highlight=False)
    for number, arguments in enumerate(report.get("graphs", []), start=1):
        console.print(
            f"[dim]chunk {number}:[/] ffmpeg {escape(' '.join(arguments))}", soft_wrap=True
        )


def _rate(rate: str) -> str:
    above, _, below = rate.partition("/")
    return f"{int(above) / int(below or 1):.5g}"
