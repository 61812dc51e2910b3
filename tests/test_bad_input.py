"""Bad footage and plans edited by hand: one clear message, nothing half written, never a hang."""

from __future__ import annotations

import json
import math
import random
import subprocess
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tasks.errors import BadInput, FinecutError, ToolFailed
from tasks.keys import step_key
from tasks.media import ffmpeg
from tasks.media.containers import opened
from tasks.media.files import check_writable, write_text, written_whole
from tasks.media.probe import probe
from tasks.media.store import ProcessingCache
from tasks.render.checking import plan_from
from tasks.render.report import plan_document
from tasks.timeline.model import Clip, Source
from tests.builders import barcode_video, render_plan

RATE = Fraction(25)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return barcode_video(
        tmp_path_factory.mktemp("footage") / "clip.mp4", RATE, 100, "-movflags", "+faststart"
    )


@pytest.fixture(scope="module")
def source(clip) -> Source:
    return probe(clip)


def sound_only(target: Path) -> Path:
    arguments = ["-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", str(target)]
    ffmpeg.run(arguments, folder=target.parent)
    return target


def written(target: Path, content: bytes | str) -> Path:
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>http://127.0.0.1:9/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>"
)

NO_VIDEO: dict[str, Callable[[Path], Path]] = {
    "missing": lambda path: path,
    "empty": lambda path: written(path, b""),
    "text": lambda path: written(path, "this is not a video\n"),
    "random": lambda path: written(path, random.Random(1).randbytes(50_000)),
    "sound only": sound_only,
    "hls": lambda path: written(path, HLS),
    "dash": lambda path: written(path, DASH),
    "concat": lambda path: written(path, "ffconcat version 1.0\nfile /etc/passwd\n"),
    "sdp": lambda path: written(path, "v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
}


@pytest.mark.parametrize("kind", NO_VIDEO)
def test_what_is_no_video_is_refused_by_name(tmp_path, kind):
    path = NO_VIDEO[kind](tmp_path / "talk.mp4")
    with pytest.raises(BadInput) as caught:
        probe(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="folder"):
        probe(tmp_path)


def test_footage_cut_off_before_its_index_is_refused(tmp_path):
    whole = barcode_video(tmp_path / "whole.mp4", RATE, 50).read_bytes()
    with pytest.raises(BadInput, match="no video that can be read"):
        probe(written(tmp_path / "cut.mp4", whole[: len(whole) * 2 // 3]))


def test_footage_cut_off_behind_its_index_gives_what_is_there_and_a_warning(tmp_path, clip):
    whole = clip.read_bytes()
    cut = probe(written(tmp_path / "cut.mp4", whole[: len(whole) // 2]))
    assert cut.video is not None and 10 < cut.video.frames < 90
    assert any("cut off" in text for text in cut.warnings)


def test_whole_footage_is_not_called_cut_off(source):
    assert source.warnings == ("no sound: nothing counts as silent, and nothing is transcribed",)


def test_recordings_glued_together_are_told_of(tmp_path):
    one = barcode_video(tmp_path / "one.ts", RATE, 150, "-f", "mpegts").read_bytes()
    glued = probe(written(tmp_path / "two.ts", one + one))
    assert any("start anew" in text for text in glued.warnings)


def test_bitrot_is_never_more_than_one_message(tmp_path, clip):
    whole = clip.read_bytes()
    for seed in range(25):
        dice, damaged = random.Random(seed), bytearray(whole)
        for _ in range(60):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        with suppress(BadInput):
            probe(written(tmp_path / "rot.mp4", bytes(damaged)))


NAMES = (
    "with space.mp4",
    "quote'single.mp4",
    'quote"double.mp4',
    "new\nline.mp4",
    "-dash.mp4",
    "percent%03d.mp4",
    "back\\slash.mp4",
    "colon:comma,semi;[1].mp4",
    "😀 日本語.mp4",
    "http:..x.mp4",
    "x" * 240 + ".mp4",
    "noext",
)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_hostile_names_are_read_like_any_other(tmp_path, clip, source, name):
    path = written(tmp_path / name, clip.read_bytes())
    found = probe(path)
    assert (found.digest, found.video, found.name) == (source.digest, source.video, name)
    with opened(path) as container:
        assert len(container.streams.video) == 1


# Plans edited by hand


@pytest.fixture(scope="module")
def document(source) -> dict[str, Any]:
    clips = (Clip(0, 0, 40), Clip(1, 50, 90))
    return plan_document(render_plan((source, source), clips, assets=(source,)))


def changed(document: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Return a copy of a document with one field, named by its dotted path, set."""
    copy = json.loads(json.dumps(document))
    *path, last = (int(part) if part.isdigit() else part for part in field.split("."))
    at = copy
    for part in path:
        at = at[part]
    at[last] = value
    return copy


def window(start_frame, end_frame, **fields):
    """Return a window of b-roll; the asset has 100 frames."""
    plain = {"start_frame": start_frame, "end_frame": end_frame, "asset": 0, "asset_in": 0}
    return {**plain, **fields}


def broll(*windows):
    return {"windows": list(windows)}


STYLE = {
    "font": "Inter",
    "size_px": 12,
    "color": "#FFFFFF",
    "highlight": "#FFD60A",
    "outline": "#000000",
    "outline_px": 1.0,
    "shadow_px": 1.0,
    "blur_px": 1.0,
    "side_px": 10,
    "bottom_px": 10,
}


def cue(start: int, end: int) -> dict[str, Any]:
    word = {"text": "hi", "start_frame": start, "end_frame": end}
    return {"start_frame": start, "end_frame": end, "lines": [[word]]}


def subtitles(*cues: dict[str, Any], **style: Any) -> dict[str, Any]:
    return {"style": {**STYLE, **style}, "cues": list(cues)}


def zoom(**change: Any) -> dict[str, Any]:
    span = {"start_frame": 0, "end_frame": 80, "cycles": 1, "max_factor": 1.2, **change}
    return {"spans": [span], "focus": [{"frame": 0, "x": 0.5, "y": 0.5}]}


WRONG = [
    ("sources", [], "sources"),
    ("sources.0.video", None, "sources.0.video"),
    ("sources.0.video.index", -1, "video.index"),
    ("sources.0.video.rotation_deg", 45, "rotation_deg"),
    ("sources.0.video.sample_aspect", "0", "sample_aspect"),
    ("sources.0.video.sample_aspect", "1/0", "sample_aspect"),
    ("sources.0.video.color.transfer", "x:y=movie=/etc/passwd", "color.transfer"),
    ("sources.0.video.color.range", "wide", "color.range"),
    ("canvas.width_px", 1_000_000, "canvas.width_px"),
    ("canvas.width_px", 255, "canvas.width_px"),
    ("canvas.width_px", "wide", "canvas.width_px"),
    ("canvas.height_px", -2, "canvas.height_px"),
    ("canvas.rate", "0", "canvas.rate"),
    ("timeline.rate", "30", "timeline.rate"),
    ("timeline.clips", [], "timeline.clips"),
    ("timeline.clips", "all", "timeline.clips"),
    ("timeline.clips.0.source", 7, "timeline.clips.0.source"),
    ("timeline.clips.0.source", -1, "timeline.clips.0.source"),
    ("timeline.clips.0.source_in", -5, "timeline.clips.0.source_in"),
    ("timeline.clips.0.source_in", 60, "timeline.clips.0"),
    ("timeline.clips.1.source_out", 10**12, "timeline.clips.1.source_out"),
    ("encoding.encoder", "libx264 -f null", "encoding.encoder"),
    ("encoding.encoder", "ffv1", "encoding.encoder"),
    ("encoding.preset", "warp9", "encoding.preset"),
    ("encoding.encoder", "auto", "encoding.encoder"),
    ("encoding.encoder", "libsvtav1", "encoding.preset"),
    ("encoding.quality", 99, "encoding.quality"),
    ("encoding.quality", math.nan, "encoding.quality"),
    ("encoding.threads", 0, "encoding.threads"),
    ("encoding.key_frames", 0, "encoding.key_frames"),
    ("min_chunk_frames", 0, "min_chunk_frames"),
    ("max_chunk_frames", -1, "max_chunk_frames"),
    (
        "sound",
        {"sample_rate_hz": 7, "channels": 2, "bitrate_bps": 128_000, "crossfade_s": 0.005},
        "sound.sample_rate_hz",
    ),
    (
        "sound",
        {"sample_rate_hz": 48_000, "channels": 99, "bitrate_bps": 128_000, "crossfade_s": 0.005},
        "sound.channels",
    ),
    (
        "cuts",
        [{"id": "a", "source": 5, "start_s": 0, "end_s": 1, "reason": "silence"}],
        "cuts.0.source",
    ),
    ("zoom", zoom(end_frame=500), "zoom.spans.0.end_frame"),
    ("zoom", zoom(start_frame=3), "zoom.spans.0.start_frame"),
    ("zoom", zoom(max_factor=math.inf), "zoom.spans.0.max_factor"),
    ("zoom", zoom(cycles=-1), "zoom.spans.0.cycles"),
    ("subtitles", subtitles(cue(20, 40), cue(10, 15)), "subtitles.cues.1.start_frame"),
    ("subtitles", subtitles(cue(-3, 4)), "subtitles.cues.0.start_frame"),
    ("subtitles", subtitles(cue(3, 400)), "subtitles.cues.0.end_frame"),
    ("subtitles", subtitles(color="red"), "subtitles.style.color"),
    ("subtitles", subtitles(size_px=10**9), "subtitles.style.size_px"),
    ("assets.0.video", None, "assets.0.video"),
    ("assets.0.video.rotation_deg", 45, "assets.0.video.rotation_deg"),
    ("broll", {"windows": "all"}, "broll.windows"),
    ("broll", broll(window(60, 81)), "broll.windows.0.end_frame"),
    ("broll", broll(window(-1, 20)), "broll.windows.0.start_frame"),
    ("broll", broll(window(20, 20)), "broll.windows.0.end_frame"),
    ("broll", broll(window(10, 30), window(29, 40)), "broll.windows.1.start_frame"),
    ("broll", broll(window(10, 30, asset=1)), "broll.windows.0.asset"),
    ("broll", broll(window(10, 30, asset=-1)), "broll.windows.0.asset"),
    ("broll", broll(window(10, 30, asset_in=-1)), "broll.windows.0.asset_in"),
    ("broll", broll(window(10, 30, asset_in=100)), "broll.windows.0.asset_in"),
    ("broll", broll(window(10, 30, asset_in=81)), "broll.windows.0.end_frame"),
    ("broll", broll(window(10, 30, fade_frames=11)), "broll.windows.0.fade_frames"),
    ("broll", broll(window(10, 30, fade_frames=-1)), "broll.windows.0.fade_frames"),
]


@pytest.mark.parametrize(
    ("field", "value", "named"), WRONG, ids=[f"{n} {f}" for n, (f, *_) in enumerate(WRONG)]
)
def test_a_wrong_field_of_a_plan_is_named(document, field, value, named):
    with pytest.raises(BadInput) as caught:
        plan_from(changed(document, field, value))
    assert named in caught.value.message
    assert len(caught.value.message) < 500


def test_a_whole_plan_passes_with_every_layer(document):
    layered = changed(document, "zoom", zoom())
    layered = changed(layered, "subtitles", subtitles(cue(0, 10), cue(10, 80)))
    layered = changed(layered, "broll", broll(window(10, 30), window(30, 80, asset_in=50)))
    assert plan_from(layered).timeline.frames == 80


def test_a_plan_from_before_b_roll_is_read(document):
    older = {name: document[name] for name in document if name not in ("assets", "broll")}

    plan = plan_from(older)

    assert (plan.assets, plan.broll) == ((), None)


@pytest.mark.parametrize("document", [{}, [], None, "plan", {"schema": "finecut/RenderPlan.99"}])
def test_another_document_is_no_plan(document):
    with pytest.raises(BadInput, match="expected a document with schema"):
        plan_from(document)


def test_the_name_of_a_font_reaches_neither_the_filter_graph_nor_the_style_fields(document):
    from tasks.render.chunks import chunks
    from tasks.render.graph import chunk_arguments

    font = "Inter,99\nDialogue: 0,0:00:00.00,9:00:00.00,Default,,0,0,0,,x':filename=/etc/passwd"
    plan = plan_from(changed(document, "subtitles", subtitles(cue(0, 80), font=font)))
    (chunk,) = chunks(plan)
    arguments = chunk_arguments(
        chunk, plan.canvas, plan.sources[0].video.color, plan.encoding, "out.mp4"
    )
    assert not any("passwd" in argument for argument in arguments)
    styles = [line for line in chunk.subtitles.splitlines() if line.startswith("Style:")]
    assert len(styles) == 1 and styles[0].count(",") == 22
    assert not any(
        line.startswith("Dialogue:") and "passwd" in line for line in chunk.subtitles.splitlines()
    )


# Where things are written


def test_nothing_half_written_lies_under_the_final_name(tmp_path):
    target = written(tmp_path / "film.mp4", "the old film")

    def fails(part: Path) -> None:
        part.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError), written_whole(target) as part:
        fails(part)
    assert target.read_text() == "the old film"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("folder", ["/proc/finecut", "file/inside"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, folder):
    written(tmp_path / "file", "in the way")
    with pytest.raises(BadInput, match="cannot write"):
        check_writable(tmp_path / folder)
    with pytest.raises(BadInput, match="cannot write"):
        write_text(tmp_path / folder / "x.json", "{}")


@pytest.fixture
def tiny_disk(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mounting, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount on this machine")
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here: not permitted")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_plainly_by_files_and_store(tiny_disk):
    store = ProcessingCache(tiny_disk / "store")
    with suppress(OSError):
        (tiny_disk / "filler").write_bytes(bytes(1 << 20))
    target = tiny_disk / "film.json"
    with pytest.raises(FinecutError, match="disk is full") as caught:
        write_text(target, "x" * 200_000)
    assert caught.value.exit_code == 1
    assert not list(tiny_disk.glob("*.json")) and not list(tiny_disk.glob(".part*"))
    with pytest.raises(FinecutError, match="disk of the store is full") as caught:
        store.set(step_key("voice", inputs={"audio": "ab"}), "x" * 200_000)
    assert caught.value.exit_code == 1


def test_a_full_disk_under_ffmpeg_is_told_plainly(tiny_disk):
    noise = ["-f", "lavfi", "-i", "testsrc2=s=640x360:d=2", "-c:v", "rawvideo", "out.nut"]
    with pytest.raises(FinecutError, match="disk is full") as caught:
        ffmpeg.run(noise, folder=tiny_disk)
    assert caught.value.exit_code == 1


def test_an_encoder_that_fails_half_way_is_told_with_its_last_words(tmp_path):
    half = ["-f", "rawvideo", "-video_size", "64x64", "-i", "pipe:0", "-c:v", "libx264"]
    bad = [*half, "-x264-params", "crf=nonsense:bogus=1", "-f", "nope", "out.mp4"]
    with pytest.raises(ToolFailed, match="FFmpeg failed with exit code") as caught:
        ffmpeg.run(bad, folder=tmp_path, feed=(bytes(64 * 64 * 3 // 2) for _ in range(500)))
    assert "nope" in caught.value.message


def test_footage_is_never_touched(tmp_path, clip):
    before = (clip.stat().st_mtime_ns, clip.read_bytes())
    probe(clip)
    with av.open(str(clip)) as container:
        assert container.streams.video
    assert (clip.stat().st_mtime_ns, clip.read_bytes()) == before
