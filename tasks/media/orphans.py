"""Prefect's embedded server outlives a process that is killed: the next run ends it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import psutil

SERVER = "prefect.server.api.server"
"""What the command line of an embedded server holds."""

NOTE = "servers.json"


def note_servers(folder: Path) -> None:
    """Write down which servers this process has started, for whoever comes after it."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any(SERVER in word for word in child.cmdline()):
                found.append([child.pid, child.create_time()])
    if found:
        (folder / NOTE).write_text(json.dumps(found))


def end_servers(folder: Path) -> None:
    """End the servers that a process which is gone wrote down in its folder."""
    try:
        noted = json.loads((folder / NOTE).read_text())
    except (OSError, ValueError):
        return
    for pid, born_s in noted:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.create_time() == born_s:
                process.kill()
