"""What a worker does before and while it renders a batch: plan, keys, footage, and its beat."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from tasks.choose_encoder import unproven
from tasks.errors import FinecutError
from tasks.find_footage import search
from tasks.keys import chunk_key, footage_key, plan_key, told_fields
from tasks.media.store import ProcessingCache
from tasks.render.checking import plan_from
from tasks.render.chunks import Chunk, chunks, files_of
from tasks.render.plan import RenderPlan
from tasks.render.report import StepRecord
from tasks.render_chunk import Drawing
from tasks.run import Run
from tasks.settings import Encoder

BEATS = "beats"
"""Kind of the notes that say that a batch is alive."""

BEAT_S = 2.0

REFUSED, NO_PLAN, NO_FOOTAGE = "Refused", "NoPlan", "NoFootage"
"""Names of the states in which a batch ends that was not rendered."""

ENCODER_FAILED = "EncoderFailed"
"""The state in which one ends whose hardware encoder failed: the film goes to another encoder."""


Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
BeatName = Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]


class Told(BaseModel):
    """The fields of one chunk's key, as the dealer makes it."""

    key: Digest
    fields: dict[str, str]


class Asked(BaseModel):
    """A batch, as it is dealt."""

    beat: BeatName
    """Name of the note in which the worker says that it is alive."""
    plan: Digest
    """Key of the plan in the store."""
    chunks: list[tuple[int, Digest]]
    """Start frame and key of each."""
    told: Told
    footage: dict[Digest, str]
    """Where the dealer has each file, by digest; it need not lie there on this machine."""


@dataclass
class Declined(Exception):
    """This worker does not render a batch."""

    name: str
    reason: str


def worker() -> str:
    """Return the name of the worker that this process runs for."""
    return os.environ.get("PREFECT__WORKER_NAME") or platform.node()


class Beat:
    """Listens to a run, and counts its frames for the dealer."""

    def __init__(self) -> None:
        self._frames = 0

    def started(self, step: str) -> None:
        """The dealer knows the steps."""

    def finished(self, record: StepRecord) -> None:
        """The dealer finds the results."""

    def frames(self, done: int, total: int) -> None:  # noqa: ARG002 - as runs call it
        self._frames = max(self._frames, done)

    def note(self, count: int) -> dict[str, Any]:
        return {"count": count, "frames": self._frames, "worker": worker()}


@contextmanager
def beating(store: ProcessingCache, name: str) -> Iterator[Beat]:
    """Say every `BEAT_S` seconds that this batch is alive, while the block runs; then no more."""
    beat, ended = Beat(), threading.Event()

    def say() -> None:
        count = 0
        while not ended.is_set():
            store.board.post(BEATS, name, beat.note(count))
            count += 1
            ended.wait(BEAT_S)
        # By whoever has written it last: the dealer may have dropped it before that.
        store.board.drop(BEATS, name)

    keeper = threading.Thread(target=say, daemon=True, name="finecut-beat")
    keeper.start()
    try:
        yield beat
    finally:
        ended.set()
        keeper.join(timeout=10)


def drawings(run: Run, asked: Asked) -> list[Drawing]:
    """Return what a batch asks for, as this machine understands it; its footage is found.

    Raises:
        Declined: this machine cannot render it, or would render something else.
    """
    plan = _plan(run.store, asked)
    parts = _parts(plan, asked)
    why_not = unproven(Encoder(plan.encoding.encoder))
    if why_not:
        raise Declined(REFUSED, f"it cannot encode with {plan.encoding.encoder}: {why_not}")
    _find_footage(run, plan, parts, asked)
    return [Drawing(plan, part) for part in parts]


def _plan(store: ProcessingCache, asked: Asked) -> RenderPlan:
    entry = store.get(asked.plan)
    if entry is None or plan_key(entry.value, ()).digest != asked.plan:
        raise Declined(
            NO_PLAN,
            "it does not share the dealer's store: set FINECUT_SHARED_CACHE to the same place",
        )
    try:
        return plan_from(entry.value)
    except FinecutError as error:
        raise Declined(REFUSED, f"its finecut does not understand the plan: {error}") from error


def _parts(plan: RenderPlan, asked: Asked) -> list[Chunk]:
    """Return the chunks that are asked for, if they have the same keys here."""
    known = {part.start_frame: part for part in chunks(plan)}
    if any(start not in known for start, _ in asked.chunks):
        raise Declined(REFUSED, "its finecut cuts the film into other chunks")
    parts = [known[start] for start, _ in asked.chunks]
    for part, (start, key) in zip(parts, asked.chunks, strict=True):
        own = chunk_key(plan, part)
        if own.digest != key:
            same = asked.told.fields if asked.told.key == key else None
            raise Declined(REFUSED, _difference(told_fields(own), same or asked.told.fields, start))
    return parts


def _difference(own: Mapping[str, str], told: Mapping[str, str], start: int) -> str:
    """Return in which field this machine's key of a chunk is another one."""
    for name in sorted({*own, *told}, reverse=True):  # versions and tools before inputs
        if own.get(name) != told.get(name):
            here, there = (_short(found.get(name)) for found in (own, told))
            return f"{name} is {here} there and {there} at the dealer's"
    return f"the chunk at frame {start} comes out differently there"


def _short(text: str | None) -> str:
    return "absent" if text is None else text if len(text) <= 60 else f"{text[:60]}…"


def _find_footage(run: Run, plan: RenderPlan, parts: Sequence[Chunk], asked: Asked) -> None:
    folders = os.environ.get("FINECUT_FOOTAGE", "")
    roots = [Path(folder) for folder in folders.split(os.pathsep) if folder]
    files = [Path(path) for path in asked.footage.values()]
    lost = []
    for source in search(run, files_of(plan, parts), roots, files):
        entry = run.store.get(footage_key(source.digest).digest, hold=run.hold)
        if entry is None:
            lost.append(source.digest)
        else:
            run.footage[source.digest] = entry.blobs["footage"]
    if lost:
        raise Declined(NO_FOOTAGE, " ".join(lost))
