"""The chunks of a film, rendered by the workers of a pool."""

from __future__ import annotations

from prefect import task

from tasks.caching import NEVER_STORED
from tasks.choose_encoder import unproven_among
from tasks.dealing import Dealer, Dealing
from tasks.media.cards import worker_cards
from tasks.pool import Pool
from tasks.render.encoders import Unproven
from tasks.run import Held, Run
from tasks.settings import Encoder

ONLY_SOFTWARE = {"encoders": [Encoder.LIBX264]}
"""The card of a worker that shows none: what every machine has."""


@task(name="pool", **NEVER_STORED)
def find_workers(run: Run, pool: str) -> Held[Unproven]:
    """Return what tells why an encoder does not work on a pool.

    A pool that nobody serves is told before any work is done.
    """
    names = Pool(pool).serving()
    cards = worker_cards(run.store, names)
    return Held(unproven_among({name: cards.get(name, ONLY_SOFTWARE) for name in names}))


@task(name="deal", **NEVER_STORED)
def deal_chunks(run: Run, held: Held[Dealing]) -> int:
    """See that every chunk is in the store; return how many had to be rendered."""
    return Dealer(run, held.value, Pool(held.value.pool)).render()
