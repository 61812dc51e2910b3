"""The chunks of a film, rendered by the workers of a pool."""

from __future__ import annotations

from prefect import task

from tasks.caching import NEVER_STORED
from tasks.dealing import Dealer, Dealing
from tasks.pool import Pool
from tasks.run import Held, Run


@task(name="pool", **NEVER_STORED)
def find_workers(pool: str) -> list[str]:
    """Return who serves a pool; a pool that nobody serves is told before any work is done."""
    return Pool(pool).serving()


@task(name="deal", **NEVER_STORED)
def deal_chunks(run: Run, held: Held[Dealing]) -> int:
    """See that every chunk is in the store; return how many had to be rendered."""
    return Dealer(run, held.value, Pool(held.value.pool)).render()
