"""What an edit costs that was made before, and how much room the store takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tasks.media import ffmpeg
from tests.builders import SAMPLE

ROOT = Path(__file__).parents[2]

UNCHANGED_BAR_S = 1.5
"""Wall time of an edit that was made before, the start of Python included."""
STORE_BAR = 1.1
"""The store after the first run, over the film and the footage's own sound packed losslessly."""

ANALYSIS = {"probe", "audio", "voice", "transcript", "faces"}


def edited(folder: Path, *options: str) -> tuple[float, dict[str, Any]]:
    """Run the command; return its wall time and its report."""
    command = [sys.executable, "-m", "deployments.cli.main", "edit", str(SAMPLE), "--json"]
    environment = {**os.environ, "FINECUT_CACHE": str(folder / "store"), "PYTHONPATH": str(ROOT)}
    environment.pop("PREFECT_API_URL", None)
    start_s = time.monotonic()
    out = subprocess.run(
        [*command, "-o", str(folder / "film.mp4"), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return time.monotonic() - start_s, json.loads(out)


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def bench_an_edit_given_again(tmp_path: Path) -> None:
    first_s, _ = edited(tmp_path)
    ffmpeg.run(["-i", str(SAMPLE), "-vn", "-c:a", "flac", "sound.flac"], folder=tmp_path)
    room = (tmp_path / "film.mp4").stat().st_size + (tmp_path / "sound.flac").stat().st_size
    store = bytes_below(tmp_path / "store") / room
    again_s = sorted(edited(tmp_path)[0] for _ in range(5))
    colour_s, report = edited(tmp_path, "--set", "subtitles.highlight=#00FF00")
    states = {line["step"]: line["state"] for line in report["steps"]}

    print(f"\nfirst {first_s:.1f} s, again {again_s[2]:.2f} s (of 5: {again_s[0]:.2f} at best)")
    print(f"another colour {colour_s:.1f} s; store {store:.2f} of film and sound")
    assert again_s[2] <= UNCHANGED_BAR_S
    assert store <= STORE_BAR
    assert {states[step] for step in ANALYSIS} == {"hit"}
