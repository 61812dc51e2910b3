"""Cards: what each worker says of itself to whoever deals chunks."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from tasks.media import ffmpeg
from tasks.media.board import is_name
from tasks.media.files import is_left_over
from tasks.media.hardware import hardware
from tasks.media.store import ProcessingCache
from tasks.media.warp import renderer

KIND = "workers"

REFRESH_S = 20.0


def worker_name() -> str:
    """Return a name for a worker in this process, that tells whether it is gone: PID-NODE-."""
    node = "".join(sign if is_name(sign) else "-" for sign in platform.node())
    return f"{os.getpid()}-{node}-finecut"


def card(encoders: Sequence[str], count: int) -> dict[str, Any]:
    """Return what this machine says of itself.

    Args:
        encoders: those that have been seen to work here.
        count: how often it has said so, that a reader sees whether it still does.
    """
    return {
        "node": platform.node(),
        "finecut": version("finecut"),
        "ffmpeg": ffmpeg.version(),
        "pyav": version("av"),
        "renderer": renderer(),
        "hardware": hardware(),
        "encoders": list(encoders),
        "count": count,
    }


def worker_cards(
    store: ProcessingCache, online: Collection[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the cards of workers, by the worker's name in Prefect.

    Args:
        store: the dealer's, which the workers use too or share a tier with.
        online: names of the workers that are there; none: all that left a card.
    """
    names = [
        name
        for name in store.board.names(KIND)
        if not is_left_over(name) and (online is None or name in online)
    ]
    found = {name: store.board.read(KIND, name) for name in names}
    return {name: note for name, note in found.items() if note is not None}


@contextmanager
def showing_card(store: ProcessingCache, name: str, encoders: Sequence[str]) -> Iterator[None]:
    """Show this machine's card while the block runs; take down those of workers that are gone."""
    for other in store.board.names(KIND):
        if is_left_over(other):
            store.board.drop(KIND, other)
    ended = threading.Event()

    def show() -> None:
        count = 0
        while True:
            store.board.post(KIND, name, card(encoders, count))
            count += 1
            if ended.wait(REFRESH_S):
                return

    keeper = threading.Thread(target=show, daemon=True, name="finecut-card")
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join(timeout=10)
        store.board.drop(KIND, name)
