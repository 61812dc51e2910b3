"""Films of every software encoder: chunks joined into each container, whole and the same twice."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tasks.errors import VerificationFailed
from tasks.join_film import joined
from tasks.media.store import ProcessingCache
from tasks.render.chunks import Chunk, chunks
from tasks.render.plan import RenderPlan, SoundPlan, encoding_for
from tasks.render_sound import draw_sound
from tasks.run import Run
from tasks.settings import Encoder, RenderSettings
from tasks.timeline.model import Clip
from tests.builders import barcode_video, drawn, flash_video, footage, read_barcodes, render_plan

RATE = Fraction(30000, 1001)
PRESETS = {Encoder.LIBX264: "veryfast", Encoder.LIBX265: "veryfast", Encoder.LIBSVTAV1: "10"}
TAGS = {Encoder.LIBX264: "avc1", Encoder.LIBX265: "hvc1", Encoder.LIBSVTAV1: "av01"}
SOUND = SoundPlan(48_000, 1, 128_000, 0.005)
BORDERS = (0, 37, 38, 101, 171)
"""One chunk has a single frame, one is longer than the distance of key frames."""

FILMS = [
    (encoder, suffix)
    for encoder in PRESETS
    for suffix in (".mp4", ".mov", ".mkv")
    if (encoder, suffix) != (Encoder.LIBSVTAV1, ".mov")  # FFmpeg writes AV1 into no .mov
]


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return barcode_video(tmp_path_factory.mktemp("encoders") / "in.mp4", RATE, 300)


def plan_with(run: Run, path: Path, encoder: Encoder) -> RenderPlan:
    settings = RenderSettings(encoder=encoder, preset=PRESETS[encoder])
    encoding = encoding_for(settings, Fraction(10))  # a key frame every 50 frames
    clips = [Clip(0, 10, 101), Clip(0, 120, 151), Clip(0, 200, 249)]
    return render_plan([footage(run, path)], clips, encoding=encoding)


class Drawn:
    """The chunks of a film, drawn by one encoder in a store of its own."""

    def __init__(self, folder: Path, path: Path, encoder: Encoder) -> None:
        self.run = Run({}, ProcessingCache(folder))
        self.plan = plan_with(self.run, path, encoder)
        self.parts: tuple[Chunk, ...] = chunks(self.plan, BORDERS)
        self.files = list(drawn(self.run, self.plan, self.parts))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, numbered: Path) -> dict[Encoder, list[Drawn]]:
    """Return each encoder's chunks, drawn twice."""
    folder = tmp_path_factory.mktemp("drawn")
    return {
        encoder: [Drawn(folder / f"{encoder} {n}", numbered, encoder) for n in range(2)]
        for encoder in PRESETS
    }


@pytest.mark.parametrize(("encoder", "suffix"), FILMS)
def test_each_frame_is_there_once_in_order_and_the_bytes_are_the_same_twice(
    films: dict[Encoder, list[Drawn]], tmp_path: Path, encoder: Encoder, suffix: str
) -> None:
    shown = [*range(10, 101), *range(120, 151), *range(200, 249)]
    written = []
    for number, film in enumerate(films[encoder]):
        output = tmp_path / f"{number}{suffix}"
        checks = joined(film.run, film.plan, film.parts, film.files, None, output)
        assert all(check.ok for check in checks), checks
        assert read_barcodes(output) == shown
        written.append(output.read_bytes())

    assert written[0] == written[1]
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        if suffix != ".mkv":
            assert stream.codec_context.codec_tag == TAGS[encoder]
        keys = [p.pts * p.time_base * RATE for p in container.demux(stream) if p.is_keyframe]
    frames = sorted(round(key) for key in keys)
    assert set(BORDERS[:-1]) <= set(frames)
    assert all(after - before <= 50 for before, after in pairwise([*frames, BORDERS[-1]]))
    said = [word for word in (b"x265", b"SVT-AV1", b"Lavc") if word in written[0]]
    assert said == []


@pytest.mark.parametrize(("encoder", "suffix"), FILMS)
def test_sound_lies_beside_every_codec(
    run: Run, tmp_path: Path, encoder: Encoder, suffix: str
) -> None:
    plan = plan_with(run, flash_video(tmp_path / "in.mp4", RATE, 15), encoder)
    plan = render_plan(plan.sources, plan.timeline.clips, encoding=plan.encoding, sound=SOUND)
    parts = chunks(plan, BORDERS)
    sound = draw_sound(run, plan, SOUND, run.store.work_folder())
    files = list(drawn(run, plan, parts))

    checks = joined(run, plan, parts, files, sound, tmp_path / f"out{suffix}")

    assert all(check.ok for check in checks), checks


def test_pictures_of_a_chunk_never_look_across_its_border(
    films: dict[Encoder, list[Drawn]],
) -> None:
    """Each chunk decodes by itself to all its frames: its GOPs are closed."""
    for [film, _] in films.values():
        for part, path in zip(film.parts, film.files, strict=True):
            assert len(read_barcodes(path)) == part.frames


@pytest.mark.parametrize("other", [Encoder.LIBX265, Encoder.LIBSVTAV1])
def test_chunks_of_two_encoders_do_not_join(
    films: dict[Encoder, list[Drawn]], tmp_path: Path, other: Encoder
) -> None:
    film = films[Encoder.LIBX264][0]
    mixed = [*film.files[:2], *films[other][0].files[2:]]

    with pytest.raises(VerificationFailed, match="other parameters"):
        joined(film.run, film.plan, film.parts, mixed, None, tmp_path / "film.mp4")

    assert not (tmp_path / "film.mp4").exists()
