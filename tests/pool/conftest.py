"""A real Prefect server on loopback, and real workers, each a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tasks.media import ffmpeg
from tasks.media.probe import probe
from tasks.render.plan import Encoding
from tasks.render.report import plan_document, pretty
from tasks.timeline.model import Clip
from tests.builders import render_plan

ROOT = Path(__file__).parents[2]

# Shorter than for people: what a test waits for has to come within seconds.
DEALER = """
import tasks.dealing
from tasks.render.batches import Patience
tasks.dealing.PATIENCE = Patience(still_s=6.0, begin_s=40.0, look_s=0.3)
tasks.dealing.SERVED_EVERY_S = 1.0
from deployments.cli.main import main
main()
"""


@dataclass
class Place:
    """A server, and the folders of whoever uses it."""

    url: str
    folder: Path
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            **os.environ,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
            "FINECUT_SHARED_CACHE": (self.folder / "shared").as_uri(),
            **changes,
        }

    def start(
        self, *command: str, cwd: Path | None = None, **changes: str
    ) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, *command],
            env=self.environment(**changes),
            cwd=cwd or self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def deal(
        self, plan: Path, film: Path, pool: str = "gpu-render", footage: Path | None = None
    ) -> subprocess.Popen[str]:
        """Render a plan on a pool, with a store of the dealer's own."""
        where = ("--set", "render.where=pool", "--set", f"render.pool={pool}")
        words = ("render", str(plan), "-o", str(film), *where, "--json")
        if footage is not None:
            words = (*words, "--footage", str(footage))
        return self.start(
            "-c", DEALER, *words, cwd=plan.parent, FINECUT_CACHE=str(plan.parent / "dealer")
        )

    @contextmanager
    def worker(
        self, name: str, pool: str = "gpu-render", **changes: str
    ) -> Iterator[subprocess.Popen[str]]:
        """Serve a pool while the block runs, with a store of the worker's own."""
        words = ("-m", "deployments.cli.main", "worker", "--pool", pool)
        child = self.start(*words, FINECUT_CACHE=str(self.folder / name), **changes)
        assert child.stderr is not None
        assert f"serves the work pool {pool}" in child.stderr.readline()
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(20)
            kill_all(child.pid)

    def online(self, pool: str = "gpu-render") -> int:
        found = httpx.post(f"{self.url}/work_pools/{pool}/workers/filter", json={}).json()
        return sum(each["status"] == "ONLINE" for each in found)

    def runs(self) -> dict[str, str]:
        """Return the types of the states of all batches, by flow run."""
        asked = {"flows": {"name": {"any_": ["render-batch"]}}}
        found = httpx.post(f"{self.url}/flow_runs/filter", json=asked).json()
        return {each["id"]: each["state"]["type"] for each in found}


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that stem from it."""
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def kill_all(pid: int) -> None:
    for process in family(pid):
        with suppress(psutil.Error):
            process.kill()


def encoding_now(pid: int) -> list[psutil.Process]:
    """Return the FFmpegs that work for a process."""
    found = []
    for process in family(pid):
        with suppress(psutil.Error):
            if "rawvideo" in process.cmdline():
                found.append(process)
    return found


def wait_until(is_so: Any, within_s: float, what: str) -> None:
    until_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until_s:
            pytest.fail(f"{what}: not within {within_s:g} s")
        time.sleep(0.1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a place with a server that is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Place(f"http://127.0.0.1:{port}/api", tmp_path_factory.mktemp("place"))
    words = ("server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
    with (found.folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words],
            env={**found.environment(), "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "2"},
            stdout=log,
            stderr=log,
        )

    def is_up() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{found.url}/health").is_success
        return False

    try:
        wait_until(is_up, 120, "the server is up")
        yield found
    finally:
        for child in found.children:
            kill_all(child.pid)
        kill_all(server.pid)
        server.wait()


@pytest.fixture(scope="module")
def one(place: Place) -> Iterator[subprocess.Popen[str]]:
    """Return a worker that serves the pool through all tests."""
    with place.worker("one") as worker:
        yield worker


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    made = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=30:d=40", "-c:v", "libx264"]
    options = ["-preset", "ultrafast", "-g", "30", "talk.mp4"]
    ffmpeg.run([*made, *options], folder=folder)
    return folder / "talk.mp4"


@pytest.fixture
def plan(footage: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a plan of a film whose chunks no other test has rendered."""
    start, frames = request.param
    source = probe(footage)
    film = render_plan(
        [source],
        [Clip(0, start, start + frames)],
        encoding=Encoding("libx264", "slow", 20.0, 4, 150),
        min_chunk_frames=20,
        max_chunk_frames=45,
    )
    target = tmp_path / "plan.json"
    target.write_text(pretty(plan_document(film)))
    (tmp_path / "talk.mp4").symlink_to(footage)
    assert film.sources[0].video is not None
    assert film.timeline.rate == Fraction(30)
    return target
