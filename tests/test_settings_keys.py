"""Every setting against every step: a change of a setting changes exactly the keys it should.

The table is made from the models of the settings. `golden/settings_keys.json` holds what was agreed
on: a new setting that enters no key, or too many, fails here until somebody has looked at it.
`UPDATE_GOLDEN=1` writes the file anew.
"""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.analysis.faces import FaceTrack, SubjectPoint
from tasks.analysis.silence import SilenceMap
from tasks.analysis.transcript import Word
from tasks.build_timeline import edit_of
from tasks.detect_silence import Heard
from tasks.keys import (
    STEPS,
    audio_key,
    broll_key,
    chunk_key,
    edit_key,
    faces_key,
    probe_key,
    silence_key,
    sound_key,
    subtitles_key,
    timeline_key,
    transcript_key,
    voice_key,
    zoom_key,
)
from tasks.media.engines import resolve_engine
from tasks.plan_render import Decided, plan_render
from tasks.render.chunks import chunks
from tasks.run import Held, Run
from tasks.settings import NO_RESULT, BrollSettings, EditSettings, PlacedClip, names
from tasks.timeline.document import to_document
from tasks.timeline.time import Span
from tests.builders import made_up_source

GOLDEN = Path(__file__).parent / "golden" / "settings_keys.json"

SOURCE = made_up_source(rate=Fraction(25), frames=1500)
WORDS = tuple(
    Word(f"Word{n},", n * 0.9 + 0.2, n * 0.9 + 0.9, ends_phrase=n % 7 == 0) for n in range(60)
)
HEARD = Heard(WORDS, SilenceMap((Span(20.0, 24.0), Span(40.0, 44.0)), -45.0, -20.0, -70.0))
FACES = FaceTrack((SubjectPoint(0.0, 0.4, 0.4, 0.3), SubjectPoint(40.0, 0.6, 0.4, 0.2)))
SAMPLES = np.zeros(1600, np.float32)

ASSET = made_up_source("cd" * 32, rate=Fraction(25), frames=200)
CLIP = PlacedClip(file="beach.mp4", at=10.0, length=3.0)
BASE = EditSettings(broll=BrollSettings(clips=(CLIP,)))

OTHER = {
    "transcript.engine": "faster-whisper",
    "transcript.model": "tiny.en",
    "transcript.language": "de",
    "transcript.prompt": "Names.",
    "transcript.device": "cpu",
    "transcript.compute_type": "float32",
    "subtitles.font": "DejaVu Sans",
    "sound.track": 1,
    "render.encoder": "libx265",
    "render.quality": "best",
    "render.crf": 30,
    "render.preset": "fast",
    "render.frame_rate": "50",
    "render.height": 180,
    "render.max_chunk": 20,
    "render.where": "pool",
    "render.pool": "another",
    "silence.min_clip": 2.0,
    "broll.fade": 0.1,
    "broll.clips": [CLIP.model_copy(update={"length": 2.0}).model_dump()],
}
"""Another value for settings where a number that is a little off says nothing."""


def another(name: str, value: Any) -> Any:
    """Return a value that a setting does not have by default."""
    if name in OTHER:
        return OTHER[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str) and value.startswith("#"):
        return "#123456"
    if isinstance(value, int):
        return value - 1
    if isinstance(value, float):
        return value * 0.9
    return pytest.fail(f"say in OTHER what else {name} may be")


def keys_of(run: Run, settings: EditSettings) -> dict[str, list[str]]:
    """Return the keys of each step, what is upstream of it being the same."""
    source = SOURCE
    decided = Decided(
        (source,),
        *_cut(settings),
        words=(WORDS,) if settings.transcript.enabled else ((),),
        faces=(FACES,) if settings.faces.enabled else (FaceTrack(()),),
        assets=(ASSET,) if settings.broll.enabled else (),
    )
    plan = plan_render.fn(run, Held(decided), settings, None).value
    assert plan.sound is not None
    keys = {
        "probe": [probe_key(source.digest, settings.sound)],
        "audio": [audio_key(source)],
        "voice": [voice_key(source, "aa")],
        "silence": [silence_key(source, "aa", (), WORDS, settings.silence)],
        "timeline": [timeline_key([source], [to_document(HEARD.silence)], settings)],
        "sound": [sound_key(plan, plan.sound)],
        "chunk": [chunk_key(plan, part) for part in chunks(plan)],
        "edit": [
            edit_key(
                *([source.digest], settings),
                container=".mp4",
                tools={},
                clips=[ASSET.digest],
            )
        ],
        "transcript": [],
        "faces": [],
        "zoom": [],
        "subtitles": [],
        # what workers of a pool are handed, found by its digest alone
        "plan": [],
        "footage": [],
        "broll": [],
    }
    if plan.broll:
        keys["broll"] = [broll_key([source], plan.timeline, [ASSET], settings.broll)]
    if settings.transcript.enabled:
        engine, asked = resolve_engine(settings.transcript), settings.transcript
        keys["transcript"] = [transcript_key(source, SAMPLES, asked, engine, asked.language)]
    if settings.faces.enabled:
        keys["faces"] = [faces_key(source, settings.faces, "bb")]
    if plan.zoom:
        arguments = ([source], plan.timeline, [FACES], plan.canvas)
        keys["zoom"] = [zoom_key(*arguments, settings.zoom)]
    if plan.subtitles:
        arguments = ([source], plan.timeline, [WORDS], plan.canvas)
        keys["subtitles"] = [subtitles_key(*arguments, settings.subtitles)]
    return {step: [key.digest for key in found] for step, found in keys.items()}


def _cut(settings: EditSettings) -> tuple[Any, Any]:
    cut = edit_of([SOURCE], [HEARD], settings)
    return cut.timeline, cut.cuts


def test_a_setting_changes_exactly_the_keys_that_it_should(run: Run) -> None:
    before = keys_of(run, BASE)
    table = {}
    for name, _, field in names():
        group = name.partition(".")[0]
        model = getattr(BASE, group)
        changed = model.model_validate(
            {**model.model_dump(), field: another(name, getattr(model, field))}
        )
        after = keys_of(run, BASE.model_copy(update={group: changed}))
        table[name] = [step for step in STEPS if after[step] != before[step]]

    text = json.dumps(table, indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_every_setting_changes_the_whole_edit() -> None:
    table = json.loads(GOLDEN.read_text())

    assert {name for name, _, _ in names()} == set(table)
    assert all(("edit" in steps) == (name not in NO_RESULT) for name, steps in table.items())
    assert all(table[name] == [] for name in NO_RESULT)


def test_a_steps_own_settings_change_it() -> None:
    table = json.loads(GOLDEN.read_text())

    for step, declared in STEPS.items():
        assert all(step in table[name] for name in declared.settings)
