"""What has to be set before Prefect and the model libraries are imported."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from tasks.errors import FinecutError
from tasks.media.files import check_writable
from tasks.media.store import default_folder
from tasks.media.usage import keep_heap_small

QUIET = {
    # Prefect speaks through finecut: its own console log would repeat every error as a traceback.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LOGGERS_PREFECT_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "GLOG_minloglevel": "3",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

ALWAYS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_COLORS": "false",
}


def prepare(*, verbose: bool) -> None:
    """Set defaults in the environment; what the user has set stays.

    Args:
        verbose: let Prefect and the model libraries log to the terminal.
    """
    keep_heap_small()
    wanted = ALWAYS if verbose else {**QUIET, **ALWAYS}
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    if "PREFECT_HOME" not in os.environ and not _has_home():
        # Prefect would say so dozens of times.
        os.environ["PREFECT_HOME"] = str(default_folder() / "prefect")


def _has_home() -> bool:
    """Return whether Prefect can write where it does by default."""
    try:
        check_writable(Path.home() / ".prefect")
    except (FinecutError, RuntimeError):
        return False
    return True


def has_server() -> bool:
    """Return whether runs are to show in a Prefect server, without loading Prefect to ask."""
    if "PREFECT_API_URL" in os.environ:
        return bool(os.environ["PREFECT_API_URL"])
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    try:
        profiles = tomllib.loads((home / "profiles.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    chosen = profiles.get("profiles", {}).get(active, {})
    return bool(chosen.get("PREFECT_API_URL"))
