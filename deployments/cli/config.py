"""Settings from a TOML file and from ``--set name=value``."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.errors import BadInput, BadSettings
from tasks.render.plan import check_preset
from tasks.settings import NO_RESULT, EditSettings, names


def load_settings(config: Path | None, pairs: Sequence[str]) -> EditSettings:
    """Return the settings of a run.

    Args:
        config: a TOML file; none: defaults.
        pairs: ``zoom.max=1.3``, in order; they win over the file.

    Raises:
        BadInput: the file cannot be read or is no TOML.
        BadSettings: a name is unknown, a value is out of bounds, or two do not go together.
    """
    values = _from_file(config) if config else {}
    if config:
        _place_clips(values, config.absolute().parent)
    for pair in pairs:
        _put(values, pair)
    try:
        settings = EditSettings.model_validate(values)
    except ValidationError as error:
        raise _explained(error, config) from error
    check_preset(settings.render)
    return _with_paths_from(settings, Path.cwd())


def _with_paths_from(settings: EditSettings, folder: Path) -> EditSettings:
    """Return settings whose clips are named by absolute paths."""
    clips = tuple(
        clip.model_copy(update={"file": folder / clip.file.expanduser()})
        for clip in settings.broll.clips
    )
    broll = settings.broll.model_copy(update={"clips": clips})
    return settings.model_copy(update={"broll": broll})


BESIDE_A_PLAN = (*sorted(NO_RESULT), "render.full_check")
"""Settings that no plan holds: where it is rendered, and how the film is checked."""


def without_result(pairs: Sequence[str]) -> Sequence[str]:
    """Return the pairs, if they set nothing that a plan has settled.

    Raises:
        BadSettings: one does.
    """
    for pair in pairs:
        name = pair.partition("=")[0].strip()
        if name not in BESIDE_A_PLAN:
            raise BadSettings(
                f"{name} is settled in the plan",
                f"make another plan with it; here only {', '.join(BESIDE_A_PLAN)} can be set",
            )
    return pairs


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}", "check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no TOML: {error}", "mend the file") from error


def _place_clips(values: dict[str, Any], folder: Path) -> None:
    """Let the clips that a settings file names count from its folder; others name theirs later."""
    broll = values.get("broll")
    clips = broll.get("clips") if isinstance(broll, dict) else None
    for clip in clips if isinstance(clips, list) else ():
        if isinstance(clip, dict) and isinstance(clip.get("file"), str):
            clip["file"] = str(folder / Path(clip["file"]).expanduser())


def _put(values: dict[str, Any], pair: str) -> None:
    name, equals, text = pair.partition("=")
    group, dot, field = name.strip().partition(".")
    if not (equals and dot and field):
        raise BadSettings(
            f"--set {pair!r} is not of the form name=value", "write --set zoom.max=1.3"
        )
    table = values.setdefault(group, {})
    if not isinstance(table, dict):
        raise BadSettings(f"{group} is no group of settings", f"groups: {', '.join(_groups())}")
    table[field] = _parsed(text.strip())


def _parsed(text: str) -> Any:
    """Return a value as TOML reads it, else as plain text (``0.2s``, ``faster-whisper``)."""
    if text.lower() in ("none", "null"):
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _groups() -> list[str]:
    return list(EditSettings.model_fields)


def _explained(error: ValidationError, config: Path | None) -> BadSettings:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    where = f" (in {config} or --set)" if config else ""
    if first["type"] == "extra_forbidden":
        known = [full for full, _, _ in names()] + _groups()
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"groups: {', '.join(_groups())}"
        return BadSettings(f"there is no setting {name}{where}", hint)
    return BadSettings(
        f"{name} is {first.get('input')!r}: {first['msg'][:1].lower()}{first['msg'][1:]}{where}",
        "give another value; `finecut edit --help` lists the settings",
    )


def described() -> str:
    """Return all settings with their defaults, for the help text."""
    lines = []
    for name, model, field in names():
        info = type(model).model_fields[field]
        lines.append(f"{name} = {_shown(getattr(model, field))}  {info.description}")
    return "\n\n".join(lines)


def _shown(value: Any) -> str:
    if value in (None, ()):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "value", value))
