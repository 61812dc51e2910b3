"""B-roll onto the timeline: which clip is shown when, and what is said of those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tasks.caching import computed, off
from tasks.keys import broll_key
from tasks.layers.broll import PlacedBroll, place_broll
from tasks.run import Run
from tasks.settings import BrollSettings
from tasks.timeline.model import Source, Timeline

NOTHING = PlacedBroll((), None, ())


def placed_broll(
    run: Run,
    timeline: Timeline,
    sources: Sequence[Source],
    assets: Sequence[Source | None],
    settings: BrollSettings,
) -> PlacedBroll:
    """Return the b-roll of a film, and warn of clips that are not shown as they were asked for.

    Args:
        run: the run.
        timeline: what stays.
        sources: the footage of the talk.
        assets: what each clip of the settings is; none for one that cannot be used.
        settings: where the clips go.
    """
    if not settings.clips:
        return NOTHING
    if not settings.enabled:
        off(run, "broll")
        return NOTHING
    key = broll_key(sources, timeline, assets, settings)
    make = partial(place_broll, timeline, sources, assets, settings)
    placed = computed(run, "broll", make, key)
    for text in placed.warnings:
        run.warn(text)
    return placed
