"""Leases: one holder at a time, and no wait for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.media.store import ProcessingCache

ROOT = Path(__file__).parents[2]
KEY = "ab" * 32

COMPUTE = """
import sys, time
from pathlib import Path
from tasks.keys import step_key
from tasks.media.store import ProcessingCache
store, key = ProcessingCache(Path(sys.argv[1])), step_key(
    "sound", inputs={"clips": [], "streams": {}, "rate": "25", "sound": {}})
with store.lease(key.digest):
    if store.get(key.digest) is None:
        with Path(sys.argv[2]).open("a") as log:
            log.write("computed\\n")
        time.sleep(float(sys.argv[3]))
        store.set(key, "done")
print(store.get(key.digest).value)
"""


def process(store: ProcessingCache, log: Path, compute_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMPUTE, str(store.folder), str(log), str(compute_s)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(log: Path) -> None:
    until_s = time.monotonic() + 30
    while not log.exists():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_eight_processes_compute_once(store: ProcessingCache, tmp_path: Path) -> None:
    log = tmp_path / "log"
    several = [process(store, log, 0.5) for _ in range(8)]

    assert [one.communicate(timeout=60)[0] for one in several] == ["done\n"] * 8
    assert log.read_text() == "computed\n"


def test_nobody_waits_for_a_holder_that_was_killed(store: ProcessingCache, tmp_path: Path) -> None:
    log = tmp_path / "log"
    holder = process(store, log, 600)
    wait_for(log)
    others = [process(store, log, 0.1) for _ in range(3)]
    time.sleep(1)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    killed_s = time.monotonic()

    assert [one.communicate(timeout=60)[0] for one in others] == ["done\n"] * 3
    assert time.monotonic() - killed_s < 10
    assert log.read_text() == "computed\n" * 2


def test_a_lease_that_nobody_renews_expires(store: ProcessingCache) -> None:
    far = {"node": "another machine", "pid": 1, "born_s": 0.0, "token": "x"}
    store._index.add(f"lease:{KEY}", far, expire_s=1.0)
    start_s = time.monotonic()

    with store.lease(KEY):
        assert 0.5 < time.monotonic() - start_s < 5


def test_a_lease_outlasts_its_length_while_it_is_renewed(store: ProcessingCache) -> None:
    order: list[str] = []

    def second() -> None:
        with store.lease(KEY, lease_s=0.5):
            order.append("second")

    with store.lease(KEY, lease_s=0.5):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(1.5)
        order.append("first")
    thread.join(timeout=10)

    assert order == ["first", "second"]


def test_who_is_cancelled_waits_for_nobody(store: ProcessingCache) -> None:
    with store.lease(KEY), store.lease(KEY, cancelled=lambda: True):
        pass
    with store.lease(KEY):
        pass


def test_leases_with_dots_in_their_names_are_different(store: ProcessingCache) -> None:
    with store.lease("a.b"), store.lease("a.c"), store.lease("a"):
        pass


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_gives_the_lease_back(
    store: ProcessingCache, failure: type[BaseException]
) -> None:
    with pytest.raises(failure), store.lease(KEY):
        raise failure
    start_s = time.monotonic()
    with store.lease(KEY):
        assert time.monotonic() - start_s < 1
