"""Where a film and what lies beside it go, checked before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.errors import BadInput
from tasks.media.files import check_no_footage, check_writable
from tasks.media.join import MUXERS

MARK = ".finecut"


def output_for(videos: Sequence[Path], asked: Path | None) -> Path:
    """Return where the film goes: ``talk.finecut.mp4`` beside ``talk.mov`` unless asked otherwise.

    Raises:
        BadInput: it would overwrite footage, its suffix is no container, or its folder cannot be
            written to.
    """
    output = asked or videos[0].with_name(f"{videos[0].stem}{MARK}.mp4")
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
