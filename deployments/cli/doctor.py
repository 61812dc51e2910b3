"""What finecut needs on a machine, looked at one by one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from tasks.choose_encoder import unproven
from tasks.errors import FinecutError, Missing
from tasks.media import faces, ffmpeg, models, speech
from tasks.media.files import check_writable
from tasks.media.store import default_folder
from tasks.render.encoders import SPECS
from tasks.settings import Encoder, TranscriptSettings

LOW_SPACE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    is_needed: bool
    """Whether an edit fails without it; otherwise it does less."""
    found: str
    hint: str = ""


def examine() -> list[Finding]:
    """Return what was found, the needed things first."""
    return [
        _looked("FFmpeg", True, ffmpeg.version),
        _looked("FFmpeg's filters", True, _filters),
        _looked("encoders", True, _encoders),
        _looked("store", True, _store),
        _looked("speech to text", True, lambda: str(speech.resolve_engine(TranscriptSettings()))),
        _looked("models", False, _models),
        _looked("faces", False, _faces),
        _looked("zoom", False, _zoom),
        _looked("Prefect", True, _prefect),
    ]


def _looked(name: str, is_needed: bool, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, is_needed, look())
    except FinecutError as error:
        return Finding(name, False, is_needed, error.message, error.hint)


def _filters() -> str:
    wanted = ("ass", "zscale", "tonemap", "setparams")
    absent = [name for name in wanted if not ffmpeg.has_filter(name)]
    if absent:
        raise Missing(
            f"{ffmpeg.executable()} lacks {', '.join(absent)}",
            "unset FINECUT_FFMPEG to use the build that comes with finecut",
        )
    return ", ".join(wanted)


def _encoders() -> str:
    """Return which encoders work here: each one encodes a few frames."""
    works: list[str] = []
    fails: dict[str, list[str]] = {}
    for name in SPECS:
        reason = unproven(Encoder(name))
        (fails.setdefault(reason, []) if reason else works).append(str(name))
    told = [f"{', '.join(names)}: {reason}" for reason, names in fails.items()]
    if Encoder.LIBX264 not in works:
        raise Missing("; ".join(told), "name an FFmpeg with libx264 in FINECUT_FFMPEG, or unset it")
    return ", ".join(works) + (f" (not here: {'; '.join(told)})" if told else "")


def _store() -> str:
    folder = default_folder()
    check_writable(folder)
    free = shutil.disk_usage(folder).free
    if free < LOW_SPACE_BYTES:
        raise Missing(
            f"{folder}: only {free / 1e9:.1f} GB free",
            "free some space, or set FINECUT_CACHE to a folder on a larger disk",
        )
    return f"{folder}, {free / 1e9:.0f} GB free"


def _models() -> str:
    absent = [name for name in models.DEFAULTS if not models.is_present(name)]
    if absent:
        raise Missing(
            f"{', '.join(absent)} not fetched yet",
            "`finecut models fetch` fetches them; the first edit does it too",
        )
    return f"{', '.join(models.DEFAULTS)} in {models.models_folder()}"


def _faces() -> str:
    faces.check_available()
    return "MediaPipe loads"


def _zoom() -> str:
    from tasks.media.warp import renderer

    return f"drawn by {renderer()}"


def _prefect() -> str:
    import prefect

    return prefect.__version__


def as_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as JSON."""
    return {
        "ok": all(finding.ok for finding in findings if finding.is_needed),
        "findings": [
            {
                "name": finding.name,
                "ok": finding.ok,
                "needed": finding.is_needed,
                "found": finding.found,
                "hint": finding.hint,
            }
            for finding in findings
        ],
    }


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the findings for people."""
    console = Console(highlight=False)
    for finding in findings:
        mark = (
            "[green]✓[/]" if finding.ok else ("[red]✗[/]" if finding.is_needed else "[yellow]![/]")
        )
        console.print(f"{mark} {finding.name:<18}{escape(finding.found)}", soft_wrap=True)
        if not finding.ok and finding.hint:
            console.print(f"  [dim]→ {escape(finding.hint)}[/]", soft_wrap=True)
