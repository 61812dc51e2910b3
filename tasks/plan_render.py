"""Timeline, words and faces into the render plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tasks.analysis.faces import FaceTrack
from tasks.analysis.transcript import Word
from tasks.caching import computed, off
from tasks.choose_encoder import encoder_for, unproven
from tasks.engine import step
from tasks.keys import subtitles_key, words_document, zoom_key
from tasks.layers.placing import timeline_words
from tasks.layers.subtitles import SubtitleLayer, subtitle_layer
from tasks.layers.zoom import ZoomLayer, zoom_layer
from tasks.media.files import check_no_footage, write_text
from tasks.media.fonts import measurer
from tasks.place_broll import placed_broll
from tasks.render.encoders import Unproven
from tasks.render.plan import RenderPlan, canvas_for, encoding_for, sound_for
from tasks.render.report import plan_document, pretty
from tasks.run import Held, Run
from tasks.settings import EditSettings
from tasks.timeline.marks import long_cuts
from tasks.timeline.model import Canvas, Cut, Source, Timeline


@dataclass(frozen=True, slots=True)
class Decided:
    """What was found and decided, from which the plan is made."""

    sources: tuple[Source, ...]
    timeline: Timeline
    cuts: tuple[Cut, ...]
    words: tuple[tuple[Word, ...], ...]
    """Of each source, in source time."""
    faces: tuple[FaceTrack, ...]
    assets: tuple[Source | None, ...] = ()
    """What each clip of b-roll is; none for one that cannot be used."""


def _zoom(run: Run, decided: Decided, canvas: Canvas, settings: EditSettings) -> ZoomLayer | None:
    if not settings.zoom.enabled or settings.zoom.max == 1.0:
        off(run, "zoom")
        return None
    make = partial(
        zoom_layer, decided.timeline, decided.sources, decided.faces, canvas, settings.zoom
    )
    key = zoom_key(decided.sources, decided.timeline, decided.faces, canvas, settings.zoom)
    return computed(run, "zoom", make, key)


def _subtitles(
    run: Run, decided: Decided, canvas: Canvas, settings: EditSettings
) -> SubtitleLayer | None:
    words = timeline_words(decided.words, decided.timeline, decided.sources)
    if not settings.subtitles.enabled or not words:
        off(run, "subtitles")
        return None
    make = partial(
        subtitle_layer,
        words,
        decided.timeline.rate,
        settings.subtitles,
        width_px=canvas.width_px,
        height_px=canvas.height_px,
        measure=measurer(settings.subtitles.font),
        timeline_frames=decided.timeline.frames,
        jumps=sorted(long_cuts(decided.timeline)),
    )
    key = subtitles_key(
        decided.sources, decided.timeline, decided.words, canvas, settings.subtitles
    )
    run.store.note([word for said in decided.words for word in words_document(said)])
    return computed(run, "subtitles", make, key)


@step("plan")
def plan_render(
    run: Run,
    held: Held[Decided],
    settings: EditSettings,
    target: Path | None,
    why_not: Unproven = unproven,
) -> Held[RenderPlan]:
    """Return the render plan; write it down where a target is named.

    `why_not` says of each encoder why it does not work where the film is rendered.
    """
    decided = held.value
    encoder = encoder_for(run, settings.render.encoder, why_not)
    canvas = canvas_for(decided.sources, settings.render)
    broll = placed_broll(run, decided.timeline, decided.sources, decided.assets, settings.broll)
    plan = RenderPlan(
        sources=decided.sources,
        canvas=canvas,
        timeline=decided.timeline,
        cuts=decided.cuts,
        zoom=_zoom(run, decided, canvas, settings),
        subtitles=_subtitles(run, decided, canvas, settings),
        sound=sound_for(decided.sources, settings.sound),
        encoding=encoding_for(settings.render, canvas.rate, encoder),
        min_chunk_frames=max(1, round(settings.render.min_chunk * canvas.rate)),
        max_chunk_frames=max(3, round(settings.render.max_chunk * canvas.rate)),
        assets=broll.assets,
        broll=broll.layer,
    )
    if target is not None:
        check_no_footage(target, run.footage.values())
        write_text(target, pretty(plan_document(plan)))
    return Held(plan)
