"""What a worker makes of a batch: the dealer's chunks or a reason, and where footage is found."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks import serving
from tasks.errors import BadInput
from tasks.keys import chunk_key, footage_key, plan_key, told_fields
from tasks.media.cards import showing_card, worker_cards
from tasks.media.hardware import hardware
from tasks.media.shared import SharedTier
from tasks.media.store import ProcessingCache
from tasks.render.batches import Batch, Seen
from tasks.render.chunks import chunks
from tasks.render.plan import RenderPlan, encoding_with
from tasks.render.report import plan_document
from tasks.run import Run
from tasks.serving import BEATS, NO_FOOTAGE, NO_PLAN, REFUSED, Asked, Declined, beating, drawings
from tasks.settings import Encoder
from tasks.timeline.model import Clip
from tests.builders import barcode_video, footage, render_plan

Stores = Callable[[str], ProcessingCache]

BEAT = "0123456789abcdef"


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Return a function that gives a machine's store, with one tier behind all of them."""
    url = (tmp_path / "shared").as_uri()
    return lambda name: ProcessingCache(tmp_path / name, shared=SharedTier(url))


@pytest.fixture
def plan(tmp_path: Path) -> RenderPlan:
    path = barcode_video(tmp_path / "bars.mp4", Fraction(30), 90)
    source = footage(Run({}, ProcessingCache(tmp_path / "made")), path)
    return render_plan([source], [Clip(0, 0, 90)], min_chunk_frames=10, max_chunk_frames=30)


def dealt(store: ProcessingCache, plan: RenderPlan, path: Path) -> Asked:
    """Return a batch of all chunks of a plan, as it is dealt."""
    document = plan_document(plan)
    key = plan_key(document, ())
    store.set(key, document)
    keys = [chunk_key(plan, part) for part in chunks(plan)]
    return Asked.model_validate(
        {
            "beat": BEAT,
            "plan": key.digest,
            "chunks": [
                [part.start_frame, k.digest] for part, k in zip(chunks(plan), keys, strict=True)
            ],
            "told": {"key": keys[0].digest, "fields": told_fields(keys[0])},
            "footage": {plan.sources[0].digest: str(path)},
        }
    )


def refusal(run: Run, asked: Asked) -> Declined:
    with pytest.raises(Declined) as caught:
        drawings(run, asked)
    return caught.value


def test_a_batch_is_the_dealers_chunks(stores: Stores, plan: RenderPlan, tmp_path: Path) -> None:
    asked = dealt(stores("dealer"), plan, tmp_path / "bars.mp4")
    run = Run({}, stores("worker"))

    found = drawings(run, asked)

    assert tuple(each.chunk for each in found) == chunks(plan)
    assert found[0].plan == plan
    assert run.footage == {plan.sources[0].digest: tmp_path / "bars.mp4"}


def test_footage_is_looked_for_where_it_may_lie(
    stores: Stores, plan: RenderPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, nowhere = plan.sources[0].digest, tmp_path / "nowhere.mp4"
    dealer = stores("dealer")
    asked = dealt(dealer, plan, nowhere)

    lost = refusal(Run({}, stores("worker")), asked)
    assert (lost.name, lost.reason) == (NO_FOOTAGE, digest)

    folder = tmp_path / "films" / "below"
    folder.mkdir(parents=True)
    os.link(tmp_path / "bars.mp4", folder / "renamed.mov")
    with monkeypatch.context() as patch:
        patch.setenv("FINECUT_FOOTAGE", f"{tmp_path / 'none'}{os.pathsep}{tmp_path / 'films'}")
        run = Run({}, stores("another"))
        drawings(run, asked)
        assert run.footage[digest] == folder / "renamed.mov"

    key = footage_key(digest)
    assert dealer.offer(key, "footage", digest, tmp_path / "bars.mp4")
    run = Run({}, stores("third"))
    drawings(run, asked)
    assert run.footage[digest].read_bytes() == (tmp_path / "bars.mp4").read_bytes()
    assert not ProcessingCache(tmp_path / "alone").offer(key, "footage", digest, nowhere)


def test_footage_that_is_another_file_by_now_is_not_taken(
    stores: Stores, plan: RenderPlan, tmp_path: Path
) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(bytes(plan.sources[0].size_bytes))

    assert refusal(Run({}, stores("worker")), dealt(stores("dealer"), plan, other)).name == (
        NO_FOOTAGE
    )


def test_a_refusal_names_the_field(stores: Stores, plan: RenderPlan, tmp_path: Path) -> None:
    asked = dealt(stores("dealer"), plan, tmp_path / "bars.mp4")
    fields = {**asked.told.fields, "tools.pyav": "1.0"}
    start = asked.chunks[0][0]
    other = asked.model_copy(
        update={
            "chunks": [(start, "00" * 32)],
            "told": asked.told.model_copy(update={"key": "00" * 32, "fields": fields}),
        }
    )

    told = refusal(Run({}, stores("worker")), other)

    assert told.name == REFUSED
    assert told.reason.startswith("tools.pyav is ")
    assert told.reason.endswith(" there and 1.0 at the dealer's")


def test_other_chunks_an_unproven_encoder_and_no_plan_are_refused(
    stores: Stores, plan: RenderPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = dealt(stores("dealer"), plan, tmp_path / "bars.mp4")
    moved = asked.model_copy(update={"chunks": [(1, asked.chunks[0][1])]})
    assert "other chunks" in refusal(Run({}, stores("worker")), moved).reason

    with monkeypatch.context() as patch:
        patch.setattr(serving, "unproven", lambda encoder: f"there is no chip for {encoder}")
        hard = replace(plan, encoding=encoding_with(plan.encoding, Encoder.H264_NVENC))
        told = refusal(
            Run({}, stores("worker")), dealt(stores("dealer"), hard, tmp_path / "bars.mp4")
        )
    assert told.name == REFUSED
    assert "cannot encode with h264_nvenc: there is no chip" in told.reason

    alone = Run({}, ProcessingCache(tmp_path / "alone"))
    assert refusal(alone, asked).name == NO_PLAN


def test_a_beat_reaches_the_dealer_and_moves_on(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.pool.conftest import wait_until

    monkeypatch.setattr(serving, "BEAT_S", 0.05)
    dealer, batch = stores("dealer"), Batch(BEAT, (0, 1), 50, 0.0, 0.0)
    with beating(stores("worker"), BEAT) as beat:
        beat.frames(30, 0)
        wait_until(
            lambda: (
                batch.note(None, dealer.board.read(BEATS, BEAT), 1.0) and batch.frames_done == 30
            ),
            10,
            "the beat tells the frames",
        )
        assert batch.since_s == 1.0
        dealer.board.drop(BEATS, BEAT)
        wait_until(lambda: dealer.board.read(BEATS, BEAT), 10, "it is written again")
        last = dealer.board.read(BEATS, BEAT)
    assert dealer.board.read(BEATS, BEAT) is None
    batch.note(None, last, 2.0)
    assert not batch.note(None, last, 3.0)
    assert batch.since_s <= 2.0
    assert not batch.note(Seen("RUNNING", "Running", ""), last, 4.0)
    assert batch.since_s == 4.0


def test_a_batch_is_names_and_digests(stores: Stores, plan: RenderPlan, tmp_path: Path) -> None:
    asked = dealt(stores("dealer"), plan, tmp_path / "bars.mp4").model_dump()
    wrong: list[dict[str, Any]] = [
        {"beat": "../../beat"},
        {"plan": "../plan"},
        {"chunks": [(0, "AB" * 32)]},
        {"told": {"key": "", "fields": {}}},
        {"footage": {"/etc": "/etc"}},
    ]

    assert Asked.model_validate(asked).beat == BEAT
    for change in wrong:
        with pytest.raises(ValidationError):
            Asked.model_validate({**asked, **change})


def test_a_folder_of_the_dealers_is_not_searched_nor_is_what_may_not_be_looked_at(
    stores: Stores, plan: RenderPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, closed = tmp_path / "films", tmp_path / "closed" / "bars.mp4"
    folder.mkdir()
    (tmp_path / "bars.mp4").rename(folder / "bars.mp4")
    assert refusal(Run({}, stores("a")), dealt(stores("dealer"), plan, folder)).name == NO_FOOTAGE

    known = Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return known(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    assert refusal(Run({}, stores("b")), dealt(stores("dealer"), plan, closed)).name == NO_FOOTAGE


def test_footage_that_cannot_be_read_is_passed_over(
    stores: Stores, plan: RenderPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = tmp_path / "films", dealt(stores("dealer"), plan, tmp_path / "bars.mp4")
    folder.mkdir()
    os.link(tmp_path / "bars.mp4", folder / "copy.mp4")
    run = Run({}, stores("worker"))
    digest_of = run.store.digest_of

    def read(path: Path) -> str:
        if path.name == "bars.mp4":
            raise BadInput(f"cannot read {path}")
        return digest_of(path)

    monkeypatch.setattr(run.store, "digest_of", read)
    monkeypatch.setenv("FINECUT_FOOTAGE", str(folder))
    drawings(run, asked)
    assert run.footage == {plan.sources[0].digest: folder / "copy.mp4"}


def test_a_shared_tier_that_is_lost_is_no_refusal(
    stores: Stores, plan: RenderPlan, tmp_path: Path
) -> None:
    from flows.batch import _failure

    asked = dealt(stores("dealer"), plan, tmp_path / "bars.mp4")
    (tmp_path / "file").write_text("no folder")
    away = SharedTier((tmp_path / "file" / "below").as_uri())
    run = Run({}, ProcessingCache(tmp_path / "worker", shared=away))

    state = _failure(run, asked)

    assert (state.type.value, state.name) == ("FAILED", "Failed")
    assert run.store.lost_shared in state.message
    assert "is left out" in run.store.lost_shared


def test_cards_are_there_while_their_workers_are(stores: Stores) -> None:
    from tests.pool.conftest import wait_until

    dealer, name = stores("dealer"), "1-elsewhere-finecut"
    with showing_card(stores("worker"), name, [Encoder.LIBX264]):
        wait_until(lambda: worker_cards(dealer), 10, "the card is there")
        card = worker_cards(dealer)[name]
        assert card["encoders"] == ["libx264"]
        assert set(card) >= {"node", "ffmpeg", "pyav", "renderer", "finecut"}
        assert card["hardware"] == hardware()
        assert worker_cards(dealer, ["another"]) == {}
    assert worker_cards(dealer) == {}


def test_whatever_ends_a_batch_stops_its_run(
    stores: Stores, plan: RenderPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.exceptions import TerminationSignal

    from flows import batch

    def begin(*_: Any) -> None:
        raise TerminationSignal(15)

    monkeypatch.setattr(batch, "begin", begin)
    run, asked = Run({}, stores("worker")), dealt(stores("dealer"), plan, tmp_path / "bars.mp4")
    with pytest.raises(TerminationSignal):
        batch._failure(run, asked)
    assert run.cancelled()
