"""The dealer, with a pool that is made up: what it makes of runs that vanish and of a lost tier."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

from tasks import dealing, pool
from tasks.dealing import TRIES, Dealer
from tasks.engine import _session
from tasks.errors import FinecutError, Interrupted, Missing, ToolFailed
from tasks.media.shared import SharedTier
from tasks.media.store import ProcessingCache
from tasks.pool import Pool
from tasks.render.batches import Dealing, Patience, Seen
from tasks.render.chunks import chunks
from tasks.run import Run
from tasks.timeline.model import Clip
from tests.builders import made_up_source, render_plan


class MadeUp(Pool):
    """A pool with one worker, whose server forgets every run that it is given."""

    def __init__(self) -> None:
        self.name = "made-up"
        self.dealt: list[str] = []
        self._ids = count()

    def serving(self) -> list[str]:
        return ["worker"]

    def online(self) -> list[str]:
        return ["worker"]

    def deal(self, parameters: Mapping[str, Any], name: str) -> str:
        self.dealt.append(str(next(self._ids)))
        return self.dealt[-1]

    def look(self, runs: Collection[str]) -> dict[str, Seen]:
        return {}

    def cancel(self, run: str) -> None:
        """There is nobody to end it."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "PATIENCE", Patience(still_s=5.0, begin_s=0.3, look_s=0.05))


def job() -> Dealing:
    source = made_up_source()
    plan = render_plan([source], [Clip(0, 0, 50)])
    return Dealing(plan, chunks(plan), "made-up")


def run_with(store: ProcessingCache) -> Run:
    return Run({made_up_source().digest: Path("talk.mp4")}, store)


def test_a_run_that_the_server_forgot_is_lost(store: ProcessingCache) -> None:
    served = MadeUp()

    with pytest.raises(ToolFailed, match="nothing was heard of it"):
        Dealer(run_with(store), job(), served).render()

    assert len(served.dealt) == TRIES


def test_a_dealer_that_lost_its_shared_tier_says_so_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    away = SharedTier((tmp_path / "file" / "below").as_uri())
    run, served = run_with(ProcessingCache(tmp_path / "dealer", shared=away)), MadeUp()

    with pytest.raises(Missing, match=r"the shared store .* is left out"):
        Dealer(run, job(), served).render()

    assert served.dealt == []


def test_copies_are_stopped_with_the_run(store: ProcessingCache) -> None:
    run = run_with(store)
    run.stop()

    with pytest.raises(Interrupted):
        Dealer(run, job(), MadeUp())


def answer(code: int) -> PrefectHTTPStatusError:
    request = httpx.Request("POST", "http://127.0.0.1/api/deployments/x/create_flow_run")
    response = httpx.Response(code, request=request, json={"detail": "the name is taken"})
    return PrefectHTTPStatusError(f"error {code}", request=request, response=response)


def test_a_batch_that_the_server_does_not_take_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    served = object.__new__(Pool)
    served.name = "gpu"

    for code, expected in ((409, FinecutError), (429, httpx.HTTPError), (500, httpx.HTTPError)):

        def refuse(*_: Any, code: int = code, **__: Any) -> None:
            raise answer(code)

        monkeypatch.setattr(pool, "run_deployment", refuse)
        with pytest.raises(expected) as caught:
            served.deal({}, "batch")
        if expected is FinecutError:
            assert "the name is taken" in str(caught.value)


def test_a_session_that_is_not_given_back_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from prefect.concurrency import sync

    @contextmanager
    def concurrency(*_: Any, **__: Any) -> Iterator[None]:
        yield
        raise httpx.ConnectError("the server is away")

    monkeypatch.setattr(sync, "concurrency", concurrency)

    with _session("finecut-nvenc-here"):
        encoded = True
    assert encoded
    assert "finecut-nvenc-here was not given back" in caplog.text

    with pytest.raises(ZeroDivisionError), _session("finecut-nvenc-here"):
        raise ZeroDivisionError


def test_frames_of_an_attempt_that_failed_are_not_counted(store: ProcessingCache) -> None:
    run, told = run_with(store), []
    run.listener.frames = lambda done, _: told.append(done)  # type: ignore[method-assign]
    run.add_frames(3)
    run.frames_elsewhere(40)

    run.restart_frames()
    run.add_frames(1)

    assert told == [3, 43, 1]
