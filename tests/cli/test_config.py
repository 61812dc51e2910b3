"""Settings from TOML and --set: what wins, and what is said about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.cli.config import described, load_settings, names
from tasks.errors import BadInput, BadSettings
from tasks.settings import EditSettings


def test_nothing_given_is_the_defaults():
    assert load_settings(None, []) == EditSettings()


def test_set_wins_over_the_file_and_later_over_earlier(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[zoom]\nmax = 1.5\nperiod = "4s"\n[silence]\nmin_silence = "700ms"\n')
    settings = load_settings(file, ["zoom.max=1.3", "zoom.max=1.2"])
    assert (settings.zoom.max, settings.zoom.period) == (1.2, 4.0)
    assert settings.silence.min_silence == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("pair", "group", "field", "value"),
    [
        ("silence.threshold=-35dB", "silence", "threshold", -35.0),
        ("subtitles.size=4%", "subtitles", "size", 0.04),
        ("transcript.enabled=false", "transcript", "enabled", False),
        ("transcript.language=none", "transcript", "language", None),
        ("transcript.engine=faster-whisper", "transcript", "engine", "faster-whisper"),
        ("transcript.prompt=Bits, bytes = fun", "transcript", "prompt", "Bits, bytes = fun"),
        ("subtitles.color=#00ff00", "subtitles", "color", "#00ff00"),
        ("render.frame_rate=30000/1001", "render", "frame_rate", "30000/1001"),
    ],
)
def test_values_are_read_as_people_write_them(pair, group, field, value):
    assert getattr(getattr(load_settings(None, [pair]), group), field) == value


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("zoom.max=9", "zoom.max"),
        ("zoom.max=nan", "zoom.max"),
        ("zoom.max=big", "zoom.max"),
        ("zoom.maxx=1.2", "there is no setting zoom.maxx"),
        ("zom.max=1.2", "there is no setting zom"),
        ("silence.min_silence=3 parsecs", "silence.min_silence"),
        ("render.preset=warp9", "render.preset"),
        ("render.crf=99", "render.crf"),
        ("render.encoder=mpeg2", "render.encoder"),
        ("sound.track=-1", "sound.track"),
        ("zoom=1.2", "not of the form"),
        ("zoom.max", "not of the form"),
        ("=", "not of the form"),
        ("zoom.max.deep=1", "zoom.max.deep"),
    ],
)
def test_a_wrong_setting_is_named(pair, says):
    with pytest.raises(BadSettings) as caught:
        load_settings(None, [pair])
    assert says in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_slip_of_the_pen_is_put_right():
    with pytest.raises(BadSettings) as caught:
        load_settings(None, ["silence.min_silense=1"])
    assert "silence.min_silence" in caught.value.hint


@pytest.mark.parametrize("content", [b"zoom = [", b"\xff\xfe", b"zoom = 3\n"])
def test_a_broken_file_is_one_message(tmp_path, content):
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        load_settings(file, [])
    assert str(file) in caught.value.message


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(BadInput, match="cannot read"):
            load_settings(path, [])


CLIP = 'broll.clips=[{file="sea.mp4", at="2s", length="500ms", start=1}]'


def test_clips_count_from_the_file_that_names_them(tmp_path, monkeypatch):
    file = tmp_path / "below" / "settings.toml"
    file.parent.mkdir()
    file.write_text(
        '[[broll.clips]]\nfile = "beach.mp4"\nat = "12.5s"\nlength = "3s"\n'
        f'[[broll.clips]]\nfile = "{tmp_path}/a.mp4"\nat = "1min"\nlength = 1\n'
    )
    monkeypatch.chdir(tmp_path)

    clips = load_settings(Path("below/settings.toml"), []).broll.clips

    assert [clip.file for clip in clips] == [file.parent / "beach.mp4", tmp_path / "a.mp4"]
    assert [(clip.at, clip.length, clip.start) for clip in clips] == [(12.5, 3, 0), (60, 1, 0)]
    (clip,) = load_settings(file, [CLIP]).broll.clips
    assert (clip.file, clip.at, clip.length, clip.start) == (tmp_path / "sea.mp4", 2, 0.5, 1)


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("broll.clips=[{file='a.mp4', at='-1s', length=1}]", "broll.clips.0.at"),
        ("broll.clips=[{file='a.mp4', at=1, length=0}]", "broll.clips.0.length"),
        ("broll.clips=[{at=1, length=1}]", "broll.clips.0.file"),
        ("broll.clips=a.mp4", "broll.clips"),
        ("broll.clips=[{file='a.mp4', at=1, length=1, loud=true}]", "broll.clips.0.loud"),
        ("broll.fade=-1s", "broll.fade"),
    ],
)
def test_a_wrong_clip_is_named(pair, says):
    with pytest.raises(BadSettings) as caught:
        load_settings(None, [pair])
    assert says in caught.value.message


@pytest.mark.parametrize("text", ["broll = 3", "[broll]\nclips = 3", "[broll]\nclips = [3]"])
def test_clips_of_another_shape_are_one_message(tmp_path, text):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(BadSettings, match="broll"):
        load_settings(file, [])


def test_the_help_names_every_setting():
    text = described()
    assert all(f"{name} = " in text for name, _, _ in names())
