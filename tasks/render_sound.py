"""The film's sound: one continuous, sample-exact render, encoded once."""

from __future__ import annotations

from pathlib import Path

import av
from prefect import task

from tasks.caching import STEP, Made, Result, remembered
from tasks.keys import Key, step_key
from tasks.media.soundtrack import encode_aac, rendered_blocks
from tasks.render.plan import RenderPlan, SoundPlan
from tasks.render.sound import sound_segments
from tasks.run import Held, Run
from tasks.timeline.document import to_document


def sound_samples(plan: RenderPlan, sound: SoundPlan) -> int:
    """Return the length of the film's sound in samples: where its last frame ends."""
    return plan.timeline.grid.sample_at(plan.timeline.frames, sound.sample_rate_hz)


def _sound_key(plan: RenderPlan, sound: SoundPlan) -> Key:
    clips = [
        [plan.sources[clip.source].digest, clip.source_in, clip.source_out]
        for clip in plan.timeline.clips
    ]
    rate = plan.timeline.rate
    streams = {
        source.digest: [
            to_document(source.audio),
            str(source.zero_s),
            str(source.grid(rate).origin_s),
        ]
        for source in plan.sources
        if source.audio is not None
    }
    return step_key(
        "sound",
        inputs={
            "clips": clips,
            "streams": streams,
            "rate": str(rate),
            "sound": to_document(sound),
        },
        tools={"pyav": av.__version__},
    )


def draw_sound(run: Run, plan: RenderPlan, sound: SoundPlan, folder: Path) -> Path:
    """Render and encode the whole sound into a folder."""
    segments = sound_segments(plan.timeline, plan.sources, sound.sample_rate_hz, sound.crossfade_s)
    blocks = rendered_blocks(
        segments,
        [run.footage[source.digest] for source in plan.sources],
        plan.sources,
        channels=sound.channels,
        rate_hz=sound.sample_rate_hz,
    )
    target = folder / "sound.m4a"
    encode_aac(
        run.stoppable(blocks),
        target,
        channels=sound.channels,
        bitrate=sound.bitrate_bps,
        rate_hz=sound.sample_rate_hz,
    )
    return target


@task(name="render_sound", **STEP)
def render_sound(run: Run, held_plan: Held[RenderPlan]) -> Result[Path | None]:
    """Return where the film's encoded sound lies in the store; none where it has no sound."""
    plan = held_plan.value
    sound = plan.sound
    assert sound is not None
    result = remembered(
        run,
        _sound_key(plan, sound),
        lambda folder: Made(None, {"sound": draw_sound(run, plan, sound, folder)}),
        lambda entry: entry.blobs["sound"],
    )
    return result.state()  # type: ignore[return-value]
