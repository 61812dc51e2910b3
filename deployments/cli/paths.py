"""Where a film and what lies beside it go, checked before any work is done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tasks.errors import BadInput, BadSettings
from tasks.media.files import check_no_footage, check_writable
from tasks.media.join import MUXERS
from tasks.render.excerpt import Excerpt

MARK = ".finecut"


def output_for(videos: Sequence[Path], asked: Path | None, kind: str = "") -> Path:
    """Return where the film goes: ``talk.finecut.mp4`` beside ``talk.mov`` unless asked otherwise.

    Args:
        videos: the footage.
        asked: what the user named.
        kind: ``preview``, ``excerpt``, which never take the place of the film.

    Raises:
        BadInput: it would overwrite footage, its suffix is no container, or its folder cannot be
            written to.
    """
    name = f"{videos[0].stem}{MARK}{'.' if kind else ''}{kind}.mp4"
    output = asked or videos[0].with_name(name)
    if output.suffix.lower() not in MUXERS:
        raise BadInput(
            f"the output {output} does not end in {', '.join(MUXERS)}",
            "the suffix chooses the container",
        )
    check_no_footage(output, videos)
    if output.is_dir():
        raise BadInput(f"the output {output} is a folder", "name a file")
    check_writable(output.parent)
    return output


def plan_for(videos: Sequence[Path], asked: Path | None) -> Path:
    """Return where a plan goes: ``plan.json`` unless asked otherwise.

    Raises:
        BadInput: it would overwrite footage, is a folder, or its folder cannot be written to.
    """
    plan = asked or Path("plan.json")
    check_no_footage(plan, videos)
    if plan.is_dir():
        raise BadInput(f"the output {plan} is a folder", "name a file")
    check_writable(plan.absolute().parent)
    return plan


def artifacts_for(output: Path) -> Path:
    """Return the folder beside a film: ``talk.finecut/`` for ``talk.finecut.mp4``.

    Raises:
        BadInput: a file of that name is in the way.
    """
    folder = output.with_suffix("")
    folder = folder if folder.name.endswith(MARK) else folder.with_name(folder.name + MARK)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is in the way", "move it, or choose another name with -o")
    return folder


def excerpt_from(start: str | None, end: str | None) -> Excerpt | None:
    """Return the stretch of the film that two times of the command line say; none: all of it.

    Raises:
        BadSettings: one is no time, or the end is not behind the start.
    """
    if start is None and end is None:
        return None
    return Excerpt(
        0.0 if start is None else seconds_from(start, "--from"),
        None if end is None else seconds_from(end, "--to"),
    )


def seconds_from(text: str, option: str) -> float:
    """Return the seconds that ``90``, ``90s``, ``1:30`` or ``1:02:03.5`` says.

    Raises:
        BadSettings: it is no time; says so of the option.
    """
    match = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,8}(?:\.\d+)?)s?", text.strip())
    if match is None:
        raise BadSettings(f"{option} {text!r} is no time", "write 90s, 1:30 or 1:02:03.5")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def existing(videos: Sequence[Path]) -> list[Path]:
    """Return the footage as absolute paths.

    Raises:
        BadInput: a file is missing, or is a folder.
    """
    for video in videos:
        if video.is_dir():
            raise BadInput(f"{video} is a folder", "name the video files in it, in order")
        if not video.exists():
            raise BadInput(f"no such file: {video}", "check the path")
    return [video.absolute() for video in videos]
