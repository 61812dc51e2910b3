"""Keys: what changes them, and what does not. A changed golden key is a deliberate diff."""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deployments.cli.config import load_settings
from tasks.answers import EditRequest, _machine, key_of
from tasks.keys import (
    STEPS,
    chunk_key,
    edit_key,
    faces_key,
    is_reproducible,
    probe_key,
    step_key,
    transcript_key,
)
from tasks.media.engines import resolve_engine
from tasks.media.hardware import hardware
from tasks.media.records import Tier
from tasks.media.store import ProcessingCache
from tasks.render.chunks import chunks
from tasks.render.plan import encoding_with
from tasks.settings import (
    BrollSettings,
    EditSettings,
    Encoder,
    FaceSettings,
    PlacedClip,
    RenderSettings,
    SoundSettings,
    TranscriptSettings,
    Where,
)
from tasks.timeline.model import Clip
from tests.builders import made_up_source, render_plan


def faces(**changes: object) -> str:
    fields = {
        "inputs": {"file": "ab", "video": {}},
        "settings": {"faces": FaceSettings()},
        "tools": {"x": "1"},
    }
    return step_key("faces", **{**fields, **changes}).digest  # type: ignore[arg-type]


def edit(settings: EditSettings, *footage: str) -> str:
    return edit_key(footage, settings, container=".mp4", tools={}).digest


def test_a_golden_key() -> None:
    assert STEPS["faces"].version == 1
    assert faces() == "6ada167e84f5febfbc5ac84c8ebfc05ace91f055821493f0adacce439fc3ec1b"


def test_everything_in_it_changes_it() -> None:
    keys = {
        faces(),
        faces(inputs={"file": "cd", "video": {}}),
        faces(settings={"faces": FaceSettings(interval=2.0)}),
        faces(tools={"x": "2"}),
        step_key("sound", inputs={"clips": 1, "streams": 2, "rate": 3, "sound": 4}).digest,
    }

    assert len(keys) == 5


def test_a_step_is_given_what_it_declares() -> None:
    with pytest.raises(ValueError, match="declares the inputs"):
        faces(inputs={"file": "ab", "video": {}, "more": 1})
    with pytest.raises(KeyError):
        step_key("nothing", inputs={})


def test_a_default_written_out_is_a_default_left_out() -> None:
    assert faces(settings={"faces": FaceSettings(interval="1000ms", min_score="50%")}) == faces()


def test_order_and_form_of_the_settings_file_do_not_matter(tmp_path: Path) -> None:
    texts = (
        '[zoom]\nmax = 1.3\nperiod = "6s"\n[silence]\npadding = "200ms"\n',
        "# said otherwise\nsilence = { padding = 0.2 }\n\n[zoom]\n  period=6.0\n  max=1.30\n",
        "silence.padding = 0.2\nzoom.max = 1.3\n",
    )
    keys = set()
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        assert tomllib.loads(text)
        keys.add(edit(load_settings(path, []), "ab"))
    keys.add(edit(load_settings(None, ["silence.padding=200ms", "zoom.max=1.3"]), "ab"))

    assert len(keys) == 1


def test_clips_of_b_roll_are_known_by_their_content_and_place(
    store: ProcessingCache, tmp_path: Path
) -> None:
    talk = tmp_path / "talk.mp4"
    for name in ("talk.mp4", "a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(name.encode() * 500)
    shutil.copy(tmp_path / "a.mp4", tmp_path / "copy.mov")

    def key(**changes: object) -> tuple[str, str]:
        fields = {"file": tmp_path / "a.mp4", "at": 3.0, "length": 2.0, **changes}
        settings = EditSettings(broll=BrollSettings(clips=(PlacedClip(**fields),)))
        found = key_of(store, EditRequest((talk,), tmp_path / "film.mp4", None, settings))
        return found.digest, str(found.fields)

    plain = key()
    others = [key(file=tmp_path / "b.mp4"), key(at=4.0), key(length=1.0), key(start=1.0)]
    lost = [key(file=tmp_path / name) for name in ("none.mp4", "neither.mp4")]

    assert key(file=tmp_path / "copy.mov") == plain
    assert len({each[0] for each in (plain, *others, *lost)}) == 6
    assert all(str(tmp_path) not in fields for _, fields in (plain, *others, *lost))
    assert all(name not in lost[0][1] for name in ("none.mp4", "neither.mp4"))


def test_the_order_of_the_footage_matters() -> None:
    assert edit(EditSettings(), "ab", "cd") != edit(EditSettings(), "cd", "ab")


def test_what_footage_is_called_is_in_no_key() -> None:
    source = made_up_source()

    assert faces_key(source, FaceSettings(), "m") == faces_key(
        replace(source, name="other.mov"), FaceSettings(), "m"
    )


def test_renamed_moved_touched_and_copied_footage_has_the_same_key(
    store: ProcessingCache, tmp_path: Path
) -> None:
    path = tmp_path / "talk.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    before = probe_key(store.digest_of(path), SoundSettings())
    copy = Path(shutil.copy(path, tmp_path / "copy.mp4"))
    copy.touch()
    (tmp_path / "below").mkdir()
    moved = path.rename(tmp_path / "below" / "it's.mov")

    assert probe_key(store.digest_of(copy), SoundSettings()) == before
    assert probe_key(store.digest_of(moved), SoundSettings()) == before

    data = bytearray(copy.read_bytes())
    data[5000] ^= 1
    copy.write_bytes(bytes(data))
    assert probe_key(store.digest_of(copy), SoundSettings()).digest != before.digest


def test_a_model_of_ones_own_is_known_by_its_digest() -> None:
    engine = resolve_engine(TranscriptSettings())
    keys = {
        transcript_key(
            made_up_source(),
            np.zeros(9, np.float32),
            TranscriptSettings(model=path),
            replace(engine, model=path),
            None,
        ).digest
        for path in ("/a/weights", "/b/weights")
    }

    assert len(keys) == 1


def test_every_step_declares_its_tier() -> None:
    tiers = {name: step.tier for name, step in STEPS.items()}

    assert tiers["faces"] is Tier.PERMANENT
    assert tiers["chunk"] is Tier.CONDITIONAL
    assert tiers["zoom"] is Tier.DYNAMIC


def test_settings_hold_no_sets() -> None:
    for name in EditSettings.model_fields:
        model = type(getattr(EditSettings(), name))
        annotations = str([field.annotation for field in model.model_fields.values()])
        assert not re.search(r"\b(frozen)?set\b", annotations)


def test_what_hardware_encodes_depends_on_the_hardware_and_is_not_reproducible() -> None:
    plan = render_plan([made_up_source()], [Clip(0, 0, 50)])
    [part] = chunks(plan)
    soft = chunk_key(plan, part)
    hard = chunk_key(replace(plan, encoding=encoding_with(plan.encoding, Encoder.H264_NVENC)), part)

    assert is_reproducible(soft.fields)
    assert "hardware" not in soft.fields["tools"]
    assert not is_reproducible(hard.fields)
    assert hard.fields["tools"]["hardware"] == hardware()


def test_an_answer_knows_the_hardware_where_it_may_encode(store: ProcessingCache) -> None:
    tools = {
        encoder: _machine(store, EditSettings(render=RenderSettings(encoder=encoder)))
        for encoder in Encoder
    }

    assert "hardware" not in tools[Encoder.LIBX264]
    assert "hardware" not in tools[Encoder.LIBSVTAV1]
    assert tools[Encoder.AUTO]["hardware"] == hardware()
    assert tools[Encoder.HEVC_VAAPI]["hardware"] == hardware()


def test_an_answer_knows_who_renders_where_the_encoder_depends_on_it(
    store: ProcessingCache,
) -> None:
    def told(encoder: Encoder, where: Where, pool: str = "one") -> dict[str, str]:
        render = RenderSettings(encoder=encoder, where=where, pool=pool)
        return _machine(store, EditSettings(render=render))

    for encoder in (Encoder.AUTO, Encoder.H264_NVENC):
        here, there = told(encoder, Where.LOCAL), told(encoder, Where.POOL)
        assert here != there != told(encoder, Where.POOL, "two")
        assert here == told(encoder, Where.LOCAL, "two")
    assert told(Encoder.LIBX264, Where.LOCAL) == told(Encoder.LIBX264, Where.POOL)
