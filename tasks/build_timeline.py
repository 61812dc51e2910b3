"""Silences into the timeline: which source ranges stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.caching import computed
from tasks.detect_silence import Heard
from tasks.engine import step
from tasks.keys import timeline_key
from tasks.render.plan import output_rate
from tasks.run import Held, Run
from tasks.settings import EditSettings
from tasks.timeline.cuts import timeline_from_silence
from tasks.timeline.document import to_document
from tasks.timeline.model import Cut, Source, Timeline


@dataclass(frozen=True, slots=True)
class Edit:
    """What stays and what goes."""

    timeline: Timeline
    cuts: tuple[Cut, ...]


def edit_of(
    sources: Sequence[Source], heard: Sequence[Heard | None], settings: EditSettings
) -> Edit:
    """Return the timeline and the cuts."""
    on = settings.silence.enabled
    spans = [found.silence.spans if found and on else None for found in heard]
    thresholds_db = [found.silence.threshold_db if found else None for found in heard]
    rate = output_rate(sources, settings.render)
    timeline, cuts = timeline_from_silence(sources, spans, rate, settings.silence, thresholds_db)
    return Edit(timeline, cuts)


@step("timeline")
def build_timeline(
    run: Run,
    held_sources: Held[Sequence[Source]],
    held_heard: Held[Sequence[Heard | None]],
    settings: EditSettings,
) -> Held[Edit]:
    """Return what stays of the footage, on the output's frame grid."""
    sources, heard = held_sources.value, held_heard.value
    silences = [to_document(found.silence) if found else None for found in heard]
    key = timeline_key(sources, silences, settings)
    cut = computed(run, "timeline", lambda: edit_of(sources, heard, settings), key)
    run.store.note(to_document(cut.timeline))
    return Held(cut)
