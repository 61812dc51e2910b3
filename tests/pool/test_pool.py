"""Films rendered on a work pool: the same bytes, whoever renders, whoever dies meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.media import ffmpeg
from tests.pool.conftest import Place, alive, encoding_now, family, kill_all, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def of(start: int, frames: int) -> pytest.MarkDecorator:
    """Render these frames of the footage."""
    return pytest.mark.parametrize("plan", [(start, frames)], indirect=True, ids=["plan"])


def ended(child: subprocess.Popen[str], within_s: float = 120) -> tuple[int, dict[str, Any]]:
    out, err = child.communicate(timeout=within_s)
    assert out, err
    return child.returncode, json.loads(out)


def local(place: Place, plan: Path) -> bytes:
    """Return the film as this machine renders it by itself."""
    film = plan.parent / "local.mp4"
    words = ("-m", "deployments.cli.main", "render", str(plan), "-o", str(film), "--json")
    child = place.start(
        *words,
        FINECUT_CACHE=str(plan.parent / "alone"),
        FINECUT_SHARED_CACHE="",
        PREFECT_API_URL="",
    )
    code, told = ended(child)
    assert code == 0, told
    assert told["summary"]["chunks_rendered"] == told["summary"]["chunks"] > 3
    return film.read_bytes()


@of(0, 60)
def test_a_pool_that_nobody_serves_is_told_at_once(place: Place, plan: Path) -> None:
    start_s = time.monotonic()

    code, told = ended(place.deal(plan, plan.parent / "film.mp4", "nobody"))

    assert time.monotonic() - start_s < 15
    assert (code, told["error"]["code"]) == (3, "missing")
    assert "work pool nobody" in told["error"]["message"]
    assert "finecut worker --pool nobody" in told["error"]["hint"]
    assert "render.where=local" in told["error"]["hint"]


@of(0, 60)
def test_without_a_server_one_is_asked_for(place: Place, plan: Path) -> None:
    words = ("render", str(plan), "-o", str(plan.parent / "film.mp4"), "--json")
    where = ("--set", "render.where=pool")
    child = place.start("-m", "deployments.cli.main", *words, *where, PREFECT_API_URL="")

    code, told = ended(child)

    assert code == 3
    assert "needs a Prefect server" in told["error"]["message"]
    assert "render.where=local" in told["error"]["hint"]


@of(0, 260)
def test_two_workers_render_the_same_bytes_as_one_machine(
    place: Place, plan: Path, one: subprocess.Popen[str]
) -> None:
    film = plan.parent / "film.mp4"
    # Where that is, it is another folder to each process: the workers find no footage there.
    here = Path("/proc/self/cwd")
    footage = here / "talk.mp4" if here.exists() else plan.parent / "talk.mp4"
    with place.worker("two") as two:
        child = place.deal(plan, film, footage=footage)
        busy = set()

        def both() -> bool:
            busy.update(worker.pid for worker in (one, two) if encoding_now(worker.pid))
            return len(busy) == 2 or child.poll() is not None

        wait_until(both, 60, "both workers encode")
        code, told = ended(child)

    assert code == 0, told
    assert len(busy) == 2
    assert told["summary"]["chunks_rendered"] == told["summary"]["chunks"]
    assert {s["state"] for s in told["steps"] if s["step"] == "chunk"} == {"hit"}
    source = told["sources"][0]
    assert source["path"] == str(footage)
    if here.exists():  # it came to the workers by way of the shared tier
        assert list((place.folder / "shared" / "blobs").glob(f"*/{source['digest']}"))
    assert film.read_bytes() == local(place, plan)


@of(300, 260)
def test_a_killed_workers_chunks_are_dealt_again(
    place: Place, plan: Path, one: subprocess.Popen[str]
) -> None:
    film = plan.parent / "film.mp4"
    with place.worker("two") as two:
        child = place.deal(plan, film)
        wait_until(lambda: encoding_now(two.pid), 60, "the second worker encodes")
        kill_all(two.pid)
        code, told = ended(child)

    assert code == 0, told
    assert any("dealt again" in warning for warning in told["warnings"])
    assert film.read_bytes() == local(place, plan)


@of(800, 390)
def test_cancelling_ends_every_ffmpeg_of_the_workers(
    place: Place, plan: Path, one: subprocess.Popen[str]
) -> None:
    before = set(place.runs())
    child = place.deal(plan, plan.parent / "film.mp4")
    wait_until(lambda: encoding_now(one.pid), 60, "the worker encodes")
    child.send_signal(signal.SIGTERM)
    code, told = ended(child)
    assert (code, told["error"]["code"]) == (130, "interrupted")
    wait_until(lambda: not encoding_now(one.pid), 20, "no FFmpeg is left")

    def states() -> set[str]:
        return {state for run, state in place.runs().items() if run not in before}

    wait_until(lambda: states() == {"CANCELLED"}, 30, "the batches are cancelled")
    assert one.poll() is None


def another_ffmpeg(folder: Path) -> Path:
    """Return a program that is FFmpeg, and says that it is another build."""
    wrapper = folder / "ffmpeg"
    real = ffmpeg.executable()
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *-version*) echo "ffmpeg version 9.9-other"; exit;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    wrapper.chmod(0o755)
    return wrapper


@of(600, 120)
def test_refusals_are_told_and_what_one_worker_refuses_another_renders(
    place: Place, plan: Path
) -> None:
    film, other = plan.parent / "film.mp4", str(another_ffmpeg(plan.parent))
    with (
        place.worker("other", "odd", FINECUT_FFMPEG=other),
        place.worker("alone", "odd", FINECUT_SHARED_CACHE=""),
    ):
        code, told = ended(place.deal(plan, film, "odd"))
        assert code == 3
        assert "tools.ffmpeg is 9.9-other" in told["error"]["message"]
        assert "set FINECUT_SHARED_CACHE to the same place" in told["error"]["message"]
        assert not film.exists()
        with place.worker("good", "odd"):
            code, told = ended(place.deal(plan, film, "odd"))
        assert code == 0, told
    assert film.read_bytes() == local(place, plan)
    assert place.online("odd") == 0  # they have signed off


@of(900, 260)
def test_when_all_workers_are_gone_the_film_says_so(place: Place, plan: Path) -> None:
    with place.worker("last", "lonely") as last:
        child = place.deal(plan, plan.parent / "film.mp4", "lonely")
        wait_until(lambda: encoding_now(last.pid), 60, "the worker encodes")
        was = family(last.pid)
        last.send_signal(signal.SIGTERM)
        assert last.wait(20) == 0
        wait_until(lambda: not any(alive(each) for each in was), 15, "nothing of it is left")
        code, told = ended(child)
    assert code == 3
    assert "all workers of the pool lonely are gone" in told["error"]["message"]


SESSION = """
import sys, time
from prefect import flow
from tasks.engine import encoder_session

@flow
def draws():
    with encoder_session("h264_nvenc"):
        print(time.time(), flush=True)
        time.sleep(2)
        print(time.time(), flush=True)

draws()
"""


def test_encoder_sessions_of_a_machine_are_limited_across_processes(place: Place) -> None:
    from tasks.media.hardware import limit_name

    make = f"""
from prefect.client.orchestration import get_client
from deployments.worker import make_limit
with get_client(sync_client=True) as client:
    make_limit(client, {limit_name("h264_nvenc")!r}, None)
    make_limit(client, {limit_name("h264_nvenc")!r}, 1)
    print(client.read_global_concurrency_limit_by_name({limit_name("h264_nvenc")!r}).limit)
"""
    limit, err = place.start("-c", make).communicate(timeout=60)
    assert limit.strip() == "1", err
    children = [place.start("-c", SESSION) for _ in range(2)]
    spans = []
    for child in children:
        out, err = child.communicate(timeout=90)
        assert len(out.split()) == 2, err
        spans.append(tuple(float(word) for word in out.split()))
    first, second = sorted(spans)
    assert first[1] <= second[0]
