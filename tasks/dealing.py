"""Dealing the chunks of a film to the workers of a pool, until all of them are in the store.

A batch says by its beat that it is alive: a count in the store, or in the shared tier behind it,
that the dealer watches by its own clock. Prefect alone would not tell: to it, the run of a worker
that was killed is running for ever.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import httpx

from tasks.errors import EncoderFailed, Interrupted, Missing, ToolFailed
from tasks.keys import Key, chunk_key, footage_key, plan_key, told_fields
from tasks.pool import LOCALLY, Pool, is_outage, own_flow_run
from tasks.render.batches import (
    GONE,
    Batch,
    Dealing,
    Patience,
    Seen,
    Verdict,
    deal,
    floor_frames,
    verdict,
)
from tasks.render.chunks import files_of
from tasks.render.report import plan_document
from tasks.run import Run
from tasks.serving import BEATS, ENCODER_FAILED, NO_FOOTAGE, NO_PLAN, REFUSED

PATIENCE = Patience()

TRIES = 3
"""How often a chunk is dealt, not counting refusals: what kills three workers would kill more."""

SERVED_EVERY_S = 5.0
"""How often the server is asked who is there."""

OUTAGE_S = 60.0
"""How long a server that does not answer is waited for."""

REFUSALS = 10
"""Most refusals in a row with nothing rendered in between."""

SHARE_HINT = (
    "set FINECUT_SHARED_CACHE to the same place (a network folder, a bucket) on this machine and "
    f"on every worker, or {LOCALLY}"
)


class Dealer:
    """Deals what is missing, watches it, and deals again what was lost."""

    def __init__(self, run: Run, job: Dealing, pool: Pool) -> None:
        self._run, self._job, self._pool = run, job, pool
        self._patience = PATIENCE
        self._keys: list[Key] = [chunk_key(job.plan, part) for part in job.parts]
        self._plan_key = self._keep_plan()
        self._missing = set(self._not_here(range(len(self._keys))))
        self._batches: dict[str, Batch] = {}
        self._held: set[int] = set()
        """Chunks that a worker refused, until another one is free; and what could not be dealt."""
        self._tries: Counter[int] = Counter()
        self._refusals: dict[str, str] = {}
        """Reasons by worker."""
        self._refused_in_a_row = 0
        self._offered: dict[str, float] = {}
        """When footage was put into the shared tier, by digest."""
        self._lost: list[str] = []
        """Flow runs that no worker is there to end."""
        self._progress_s = self._asked_s = self._answered_s = time.monotonic()

    def render(self) -> int:
        """Return how many chunks were rendered elsewhere, once every one is in the store.

        Raises:
            Missing: nobody serves the pool, or its workers do not share this machine's store (any
                more).
            ToolFailed: batches failed again and again, or were refused by every worker.
            Interrupted: the run was cancelled.
        """
        dealt = len(self._missing)
        self._show()
        if dealt:
            try:
                self._check_shared()
                self._deal(self._missing, len(self._pool.serving()))
                while self._batches or self._held:
                    self._rest()
                    self._look()
                    self._check_shared()
                    self._show()
            finally:
                for run in list(self._batches):
                    self._end(run)
                for run in self._lost:
                    with suppress(Exception):  # it is about what Prefect shows, no more
                        self._pool.write_off(run)
        return dealt

    # What is there and what is not

    def _keep_plan(self) -> Key:
        document = plan_document(self._job.plan)
        key = plan_key(document, [source.digest for source in self._job.plan.sources])
        self._run.store.set(key, document)  # always: the shared tier may not have it yet
        return key

    def _not_here(self, chunks: Iterable[int]) -> list[int]:
        store, hold = self._run.store, self._run.hold
        numbers = self._run.stoppable(chunks)  # each may have to be copied from the shared tier
        return [n for n in numbers if store.get(self._keys[n].digest, hold=hold) is None]

    def _check_shared(self) -> None:
        """See that what workers render can still come here.

        Raises:
            Missing: the shared tier was left out meanwhile.
        """
        if self._missing and self._run.store.lost_shared:
            raise Missing(
                f"the film cannot be rendered on a pool: {self._run.store.lost_shared}",
                "mend that and give the same command again (finished chunks are kept), or "
                f"{LOCALLY}",
            )

    def _was_copying(self) -> None:
        """Nobody was asked for anything meanwhile: their silence tells nothing."""
        self._answered_s = self._progress_s = time.monotonic()

    def _show(self) -> None:
        parts = self._job.parts
        here = sum(part.frames for n, part in enumerate(parts) if n not in self._missing)
        self._run.frames_elsewhere(here + sum(b.frames_done for b in self._batches.values()))

    # Dealing

    def _deal(self, chunks: Iterable[int], workers: int) -> None:
        numbers = sorted(chunks)
        frames = [self._job.parts[n].frames for n in numbers]
        for batch in deal(frames, workers, floor_frames(self._job.plan.canvas)):
            chunks = tuple(numbers[index] for index in batch)
            try:
                self._deal_batch(chunks)
            except httpx.HTTPError as error:
                self._held |= set(chunks)
                self._bear_outage(error)

    def _deal_batch(self, chunks: tuple[int, ...]) -> None:
        parts, plan = [self._job.parts[n] for n in chunks], self._job.plan
        files = files_of(plan, parts)
        # The one with most tools: fonts are among those of chunks with subtitles alone.
        told = max((self._keys[n] for n in chunks), key=lambda key: len(key.fields["tools"]))
        beat = secrets.token_hex(8)
        frames = sum(part.frames for part in parts)
        asked = {
            "beat": beat,
            "plan": self._plan_key.digest,
            "chunks": [[self._job.parts[n].start_frame, self._keys[n].digest] for n in chunks],
            "told": {"key": told.digest, "fields": told_fields(told)},
            "footage": {each.digest: str(self._run.footage[each.digest]) for each in files},
        }
        name = f"{plan.sources[0].name}: {len(chunks)} chunks, {frames} frames"
        now_s = time.monotonic()
        run = self._pool.deal({"asked": asked}, name)
        self._batches[run] = Batch(beat, chunks, frames, now_s, now_s)

    # Watching

    def _rest(self) -> None:
        """Wait for the next look.

        Raises:
            Interrupted: the run was cancelled meanwhile.
        """
        until_s = time.monotonic() + self._patience.look_s
        while time.monotonic() < until_s:
            if self._run.cancelled():
                raise Interrupted("the run was cancelled", "give the same command again to go on")
            time.sleep(0.1)

    def _look(self) -> None:
        own = own_flow_run()
        try:
            seen = self._pool.look([*self._batches, *([own] if own else [])])
            online = self._who_is_there()
        except httpx.HTTPError as error:
            self._bear_outage(error)
            return
        # The time of these states for all of what follows: copying files may take long.
        now_s = self._answered_s = time.monotonic()
        if own in seen and seen[own].type in ("CANCELLING", "CANCELLED"):
            self._run.stop()
            self._lost.append(own)
            return
        for run, batch in list(self._batches.items()):
            state = seen.get(run, GONE)
            if batch.note(state, self._beat(batch, state), now_s):
                self._progress_s = time.monotonic()
            found = verdict(state.type, now_s - batch.since_s, self._patience)
            if found is not Verdict.WAITS:
                self._end(run, is_over=found is Verdict.OVER)
                self._lost += [run] if found is Verdict.LOST else []
                self._settle(batch, found)
        if online is not None:
            self._check_served(online)

    def _beat(self, batch: Batch, seen: Seen) -> dict[str, Any] | None:
        """Return a batch's beat; one that has not begun has none, and nobody is asked for it."""
        if seen.type in ("SCHEDULED", "PENDING"):
            return None
        return self._run.store.board.read(BEATS, batch.id)

    def _bear_outage(self, error: httpx.HTTPError) -> None:
        if not is_outage(error):
            raise error
        if time.monotonic() - self._answered_s > OUTAGE_S:
            raise Missing(
                f"Prefect's server does not answer any more: {error}",
                "start it again and give the same command: finished chunks are kept",
            ) from error

    def _who_is_there(self) -> list[str] | None:
        """Return the workers that are online; none where they were asked for a moment ago."""
        if time.monotonic() - self._asked_s < SERVED_EVERY_S and not self._held:
            return None
        self._asked_s = time.monotonic()
        return self._pool.online()

    def _check_served(self, online: Sequence[str]) -> None:
        """Deal what was held to workers that may take it; see that somebody is left to work."""
        quiet_s = time.monotonic() - self._progress_s
        if not online and quiet_s > self._patience.still_s:
            raise Missing(
                f"all workers of the pool {self._pool.name} are gone, and nothing gets on",
                f"start one with `finecut worker --pool {self._pool.name}` and give the same "
                f"command again (finished chunks are kept), or {LOCALLY}",
            )
        if not self._held:
            return
        willing = [name for name in online if name not in self._refusals]
        is_nobody_willing = bool(online) and not willing and not self._batches
        if is_nobody_willing or self._refused_in_a_row > REFUSALS:
            raise self._all_refuse()
        # Held until one of the willing is free: whoever refused would only take it again.
        if len(self._batches) < len(willing):
            held, self._held = self._held, set()
            self._deal(held, len(willing))

    def _end(self, run: str, *, is_over: bool = False) -> None:
        batch = self._batches.pop(run)
        if not is_over:
            with suppress(Exception):  # it ends by itself; the way out is not barred by it
                self._pool.cancel(run)
        self._run.store.board.drop(BEATS, batch.id)

    # What came of it

    def _settle(self, batch: Batch, found: Verdict) -> None:
        """See what of a batch that is no more is there, and what becomes of the rest."""
        missing = self._not_here(batch.chunks)
        if len(missing) < len(batch.chunks):
            self._was_copying()
            self._refused_in_a_row = 0
        self._missing -= set(batch.chunks) - set(missing)
        if not missing:
            return
        self._check_shared()
        seen = batch.seen or GONE
        worker, _, reason = seen.message.partition(": ")
        if found is Verdict.OVER and seen.name == ENCODER_FAILED:
            raise EncoderFailed(f"{worker}: {reason}")
        if found is Verdict.OVER and seen.name == NO_FOOTAGE and self._offer(reason.split(), batch):
            self._held |= set(missing)
        elif found is Verdict.OVER and seen.name in (REFUSED, NO_PLAN, NO_FOOTAGE):
            self._refusals[worker] = self._told(seen.name, reason)
            self._refused_in_a_row += 1
            self._held |= set(missing)
        else:
            self._try_again(missing, batch, seen, found)

    def _try_again(self, missing: Sequence[int], batch: Batch, seen: Seen, found: Verdict) -> None:
        self._tries.update(missing)
        is_last = max(self._tries[n] for n in missing) >= TRIES
        why = seen.message or f"it was {seen.name.lower() or 'lost'}"
        if found is Verdict.LOST:
            why = f"nothing was heard of it for {time.monotonic() - batch.since_s:.0f} s"
        elif seen.type == "COMPLETED":
            why = "a worker rendered it, and its chunks are not to be found here"
            if is_last or batch.beat is None:
                raise Missing(why, SHARE_HINT)
        if is_last:
            raise ToolFailed(
                f"a batch of chunks was dealt {TRIES} times and not rendered; the last time: {why}",
                f"see the runs in Prefect's UI, or {LOCALLY}",
            )
        self._run.warn(f"{len(missing)} chunks were dealt again: {why}")
        self._held |= set(missing)

    def _offer(self, digests: Sequence[str], batch: Batch) -> bool:
        """Put footage into the shared tier, each file once; return whether the batch lacked it."""
        was_there = all(self._offered.get(d, math.inf) < batch.dealt_s for d in digests)
        if was_there:
            return False
        for digest in self._run.stoppable(digests):
            if digest not in self._offered:
                path = self._run.footage[digest]
                if not self._run.store.offer(footage_key(digest), "footage", digest, path):
                    self._check_shared()
                    return False
                self._offered[digest] = time.monotonic()
                self._was_copying()
        return True

    def _told(self, name: str, reason: str) -> str:
        if name != NO_FOOTAGE:
            return reason
        files = files_of(self._job.plan, self._job.parts)
        lost = [each.name for each in files if each.digest in reason.split()]
        return (
            f"does not find the footage {', '.join(lost)}: name its folder in FINECUT_FOOTAGE there"
        )

    def _all_refuse(self) -> Missing:
        told = "; ".join(f"{worker}: {reason}" for worker, reason in self._refusals.items())
        return Missing(
            f"every worker of the pool {self._pool.name} refuses: {told}",
            f"make the workers like this machine (same finecut, same FFmpeg), share the store "
            f"(FINECUT_SHARED_CACHE), or {LOCALLY}",
        )
