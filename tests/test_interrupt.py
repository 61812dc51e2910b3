"""Ctrl-C and SIGTERM in the middle of a render: a clean end, and the same film from there on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.media import ffmpeg

GRACE_S = 6.0
MARK = "FINECUT_TEST_RUN"
SETTINGS = (
    *("transcript.enabled=false", "faces.enabled=false", "silence.enabled=false"),
    *("render.preset=slow", "render.min_chunk=1s", "render.max_chunk=3s", "zoom.max=1"),
)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def footage(tmp_path):
    ffmpeg.run(
        [
            *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=30:d=24", "-c:v", "libx264"),
            *("-preset", "ultrafast", "-g", "30", "talk.mp4"),
        ],
        folder=tmp_path,
    )
    return tmp_path / "talk.mp4"


def started(footage: Path, output: Path, store: Path) -> subprocess.Popen[str]:
    pairs = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [sys.executable, "-m", "deployments.cli.main", "edit", str(footage)]
    environment = {
        **os.environ,
        "FINECUT_CACHE": str(store),
        "PREFECT_HOME": str(footage.parent / "prefect"),
        "PYTHONPATH": str(ROOT),
        MARK: str(footage),
    }
    environment.pop("PREFECT_API_URL", None)
    return subprocess.Popen(
        [*command, "-o", str(output), "--json", *pairs],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(child: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """Return exit code and the one JSON object of a run, which said nothing else."""
    out, err = child.communicate(timeout=120)
    assert err == ""
    assert out.count("\n") == 1
    return child.returncode, json.loads(out)


def wait_for_a_chunk(child: subprocess.Popen[str], store: Path, more_than: int) -> int:
    """Wait until more chunks are kept than before and the next is being drawn."""
    until_s = time.monotonic() + 90
    while time.monotonic() < until_s and child.poll() is None:
        kept = sum(1 for blob in store.glob("blobs/*/*"))
        if kept > more_than and list(store.glob("work/*/chunk.mp4")):
            return kept
        time.sleep(0.02)
    out, err = child.communicate(timeout=60)
    return pytest.fail(f"the run was never caught in the middle: {out} {err}")


def left_over(footage: Path) -> list[str]:
    """Return the command lines of programs that a run left behind."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(footage):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.timeout(300)
def test_a_stopped_run_ends_cleanly_and_goes_on_to_the_same_bytes(footage, tmp_path):
    film, store, kept = tmp_path / "film.mp4", tmp_path / "store", 0
    for number in (signal.SIGINT, signal.SIGTERM):
        child = started(footage, film, store)
        kept = wait_for_a_chunk(child, store, kept)
        asked_s = time.monotonic()
        child.send_signal(number)
        code, told = ended(child)
        assert time.monotonic() - asked_s < GRACE_S
        assert (code, told["ok"], told["error"]["code"]) == (130, False, "interrupted")
        assert left_over(footage) == []
        assert not film.exists() and not list(tmp_path.glob(".part-*"))
    code, told = ended(started(footage, film, store))
    assert code == 0
    assert told["summary"]["chunks_rendered"] <= told["summary"]["chunks"] - kept
    assert list((store / "work").iterdir()) == []
    code, whole = ended(started(footage, tmp_path / "whole.mp4", tmp_path / "another store"))
    assert code == 0
    assert whole["summary"]["chunks_rendered"] == whole["summary"]["chunks"]
    assert film.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
