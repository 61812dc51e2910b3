"""The chunks of a film, rendered by the workers of a pool."""

from __future__ import annotations

from tasks.choose_encoder import unproven_among
from tasks.engine import step
from tasks.media.cards import worker_cards
from tasks.render.batches import Dealing
from tasks.render.encoders import Unproven
from tasks.run import Held, Run
from tasks.settings import Encoder

ONLY_SOFTWARE = {"encoders": [Encoder.LIBX264]}
"""The card of a worker that shows none: what every machine has."""


@step("pool")
def find_workers(run: Run, pool: str) -> Held[Unproven]:
    """Return what tells why an encoder does not work on a pool.

    A pool that nobody serves is told before any work is done.
    """
    from tasks.pool import Pool

    names = Pool(pool).serving()
    cards = worker_cards(run.store, names)
    return Held(unproven_among({name: cards.get(name, ONLY_SOFTWARE) for name in names}))


@step("deal")
def deal_chunks(run: Run, held: Held[Dealing]) -> int:
    """See that every chunk is in the store; return how many had to be rendered."""
    from tasks.dealing import Dealer
    from tasks.pool import Pool

    return Dealer(run, held.value, Pool(held.value.pool)).render()
