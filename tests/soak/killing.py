"""Runs of the command that are killed at some instant, as by a cut of power, and given again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.media.store import ProcessingCache

ROOT = Path(__file__).parents[2]
SETTINGS = (
    *("transcript.model=tiny.en", "transcript.beam=1", "render.preset=veryfast"),
    *("render.height=360", "render.min_chunk=1s", "render.max_chunk=3s"),
)


@dataclass(frozen=True)
class Place:
    """Where a run works."""

    talk: Path
    film: Path
    store: Path
    prefect: Path


def started(place: Place) -> subprocess.Popen[str]:
    pairs = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [sys.executable, "-m", "deployments.cli.main", "edit", str(place.talk)]
    environment = {
        **os.environ,
        "FINECUT_CACHE": str(place.store),
        "PREFECT_HOME": str(place.prefect),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("PREFECT_API_URL", None)
    return subprocess.Popen(
        [*command, "-o", str(place.film), "--json", *pairs],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that one signal reaches all that it starts
    )


def finished(place: Place) -> dict[str, Any]:
    """Run the command to its end, and return its report."""
    out, err = started(place).communicate(timeout=300)
    report: dict[str, Any] = json.loads(out)
    assert report["ok"], (report, err)
    return report


def killed(place: Place, after_s: float) -> None:
    """Run the command, and kill it and all that it started."""
    child = started(place)
    try:
        child.wait(after_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def made(store: Path) -> dict[str, float]:
    """Return when each kept result was made, by key."""
    if not store.exists():
        return {}
    return {record.key: record.made_s for record in ProcessingCache(store).records()}


def kill_and_go_on(folder: Path, talk: Path, instants: int, seed: int) -> None:
    """Kill a run at random instants; each time the same command then ends in the same bytes.

    Raises:
        AssertionError: it did not, or something that was kept was worked out again.
    """
    prefect, film = folder / "prefect", folder / "out" / "film.mp4"
    finished(Place(talk, film, folder / "warm", prefect))
    start_s = time.monotonic()
    finished(Place(talk, film, folder / "store", prefect))
    whole_s, whole = time.monotonic() - start_s, film.read_bytes()
    chance = random.Random(seed)
    for number in range(instants):
        place = Place(talk, folder / f"{number}" / "film.mp4", folder / f"store {number}", prefect)
        for _ in range(chance.choice([1, 1, 2])):
            killed(place, chance.uniform(0.3, 1.1) * whole_s)
        before = made(place.store)
        finished(place)
        after = made(place.store)
        assert place.film.read_bytes() == whole, f"other bytes after kill {number}"
        again = [key for key, made_s in before.items() if after.get(key) != made_s]
        assert not again, f"kept results were made again after kill {number}"
        assert [path.name for path in place.film.parent.glob(".part-*")] == []
        assert len(list((place.store / "work").iterdir())) == 0
