"""Files written whole: under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import errno
import json
import os
import platform
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tasks.errors import BadInput, FinecutError


def _explained(error: OSError, target: Path) -> FinecutError:
    if error.errno == errno.ENOSPC:
        return FinecutError(
            f"the disk is full: {target} could not be written",
            "free some space and give the same command again: finished work is kept",
        )
    return BadInput(
        f"cannot write {target}: {error.strerror or error}",
        "choose another place with -o, or mend the folder's permissions",
    )


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`, and rename it to `target` when the block succeeds.

    When the block fails nothing is left: neither a half file under the final name nor the
    temporary one. The temporary name keeps the suffix, by which muxers choose a format.

    Raises:
        BadInput: the folder cannot be written to.
        FinecutError: the disk is full.
    """
    mark = f"{os.getpid()}-{platform.node()}-{secrets.token_hex(6)}"
    part = target.with_name(f".part-{mark}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        yield part
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(target)
    except OSError as error:
        raise _explained(error, target) from error
    finally:
        with suppress(OSError):  # what went wrong before is what has to be told
            part.unlink(missing_ok=True)


def is_left_over(mark: str) -> bool:
    """Return whether a name that starts with PID-NODE- is that of a process that is gone."""
    pid, _, rest = mark.partition("-")
    is_here = rest.startswith(f"{platform.node()}-")
    return is_here and pid.isdigit() and not psutil.pid_exists(int(pid))


def _sweep(folder: Path) -> None:
    """Remove what processes of this machine left half written when they were killed."""
    for path in folder.glob(".part-*"):
        if is_left_over(path.name.removeprefix(".part-")):
            with suppress(OSError):
                path.unlink()


def write_text(target: Path, text: str) -> None:
    """Write a text file whole, as UTF-8."""
    with written_whole(target) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def read_plan(path: Path) -> dict[str, Any]:
    """Return the document in a plan's file, unchecked.

    Raises:
        BadInput: the file cannot be read, or holds no JSON object.
    """
    make = "make it with `finecut plan`"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}", "check the path") from error
    except ValueError as error:
        raise BadInput(f"{path} is no JSON: {error}", make) from error
    except RecursionError as error:
        raise BadInput(f"{path} is no plan", make) from error
    if not isinstance(document, dict):
        raise BadInput(f"{path} is no plan", make)
    return document


def check_no_footage(target: Path, footage: Iterable[Path]) -> None:
    """Raise `BadInput` if `target` is one of the files that are read, by whatever name or link."""
    for path in footage:
        if target.exists() and path.exists() and target.samefile(path):
            raise BadInput(
                f"the output {target} is the footage itself", "choose another name with -o"
            )


def check_writable(folder: Path) -> None:
    """Raise `BadInput` unless files can be made in `folder`, before hours of work are spent."""
    probe = folder / f".part-{secrets.token_hex(6)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise _explained(error, folder) from error
