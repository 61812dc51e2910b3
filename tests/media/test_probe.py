"""What a file holds is read from its packets and pictures, whatever its header claims."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.media.probe import probe
from tasks.timeline.model import AudioStream, ColorTags, VideoStream
from tests.builders import barcode_video, flash_video, remux

NTSC = Fraction(30000, 1001)


def video_of(path: Path) -> VideoStream:
    video = probe(path).video
    assert video is not None
    return video


def audio_of(path: Path) -> AudioStream:
    audio = probe(path).audio
    assert audio is not None
    return audio


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
@pytest.mark.parametrize("rate", ["30000/1001", "25"])
def test_rate_and_frames_in_every_container(tmp_path: Path, rate: str, suffix: str) -> None:
    made = barcode_video(tmp_path / "made.mp4", Fraction(rate), 100)
    source = probe(remux(made, tmp_path / f"in{suffix}"))

    video = source.video
    assert video is not None
    assert (video.rate, video.is_vfr, video.frames) == (Fraction(rate), False, 100)
    assert (video.width_px, video.height_px, video.codec) == (256, 144, "h264")
    assert abs(video.end_s - video.start_s - 100 / Fraction(rate)) < Fraction(1, 500)
    assert source.audio is None
    assert any("no sound" in text for text in source.warnings)


def test_rate_and_frames_in_avi(tmp_path: Path) -> None:
    path = barcode_video(tmp_path / "in.avi", NTSC, 100, "-c:v", "mpeg4", "-q:v", "3", "-bf", "0")

    video = video_of(path)

    assert (video.rate, video.is_vfr, video.frames, video.codec) == (NTSC, False, 100, "mpeg4")


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.ts"])
def test_sound_and_picture_start_where_they_start(tmp_path: Path, name: str) -> None:
    made = flash_video(tmp_path / "made.mp4", NTSC, 6)
    path = remux(made, tmp_path / name)

    source, audio = probe(path), audio_of(path)

    assert source.video is not None
    assert min(source.video.start_s, audio.start_s) == 0
    assert (audio.sample_rate_hz, audio.channels, audio.codec) == (48_000, 1, "aac")
    assert float(audio.end_s - audio.start_s) == pytest.approx(120 / float(NTSC), abs=0.05)


def test_sound_that_comes_later_starts_later(tmp_path: Path) -> None:
    made = flash_video(tmp_path / "made.mp4", NTSC, 6)
    late = remux(made, tmp_path / "in.mkv", "-bsf:a", "setts=ts=TS+24000")

    assert float(audio_of(late).start_s) == pytest.approx(0.5, abs=0.03)
    assert video_of(late).start_s == 0


def test_a_picture_that_comes_late_is_told_of(tmp_path: Path) -> None:
    made = flash_video(tmp_path / "made.mp4", NTSC, 6)
    late = probe(remux(made, tmp_path / "in.mkv", "-bsf:v", "setts=pts=PTS+1/TB:dts=DTS+1/TB"))

    assert late.video is not None
    assert float(late.video.start_s) == pytest.approx(1, abs=0.03)
    assert any("late: its first frame is held" in text for text in late.warnings)


@pytest.mark.parametrize(
    ("options", "rotation_deg", "is_mirrored"),
    [
        (("-display_rotation", "90"), 270, False),
        (("-display_rotation", "180"), 180, False),
        (("-display_rotation", "-90"), 90, False),
        (("-display_hflip",), 0, True),
        (("-display_vflip",), 180, True),
    ],
)
def test_the_display_matrix(
    tmp_path: Path, options: tuple[str, ...], rotation_deg: int, is_mirrored: bool
) -> None:
    made = barcode_video(tmp_path / "made.mp4", Fraction(30), 10)
    path = remux(made, tmp_path / "in.mp4", before=options)

    video = video_of(path)

    assert (video.rotation_deg, video.is_mirrored) == (rotation_deg, is_mirrored)
    upright = probe(path).displayed_size()
    assert upright == ((144, 256) if rotation_deg in (90, 270) else (256, 144))


def test_colours_aspect_and_scan_are_read(tmp_path: Path) -> None:
    shown = "setfield=tff,setsar=4/3,setparams=range=tv"
    for kind in ("color_primaries", "color_trc", "colorspace"):
        shown += f":{kind}=smpte170m"
    flags = ("-flags", "+ildct+ilme")
    path = barcode_video(tmp_path / "in.mp4", Fraction(25), 20, "-vf", shown, *flags)
    source, video = probe(path), video_of(path)

    assert video.color == ColorTags("tv", "smpte170m", "smpte170m", "smpte170m")
    assert source.displayed_size() == (Fraction(256 * 4, 3), 144)
    assert video.is_interlaced
    assert any("interlaced" in text for text in source.warnings)


def test_a_file_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    made = barcode_video(tmp_path / "made.mp4", Fraction(30), 300)
    whole = remux(made, tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])

    assert 100 < video_of(tmp_path / "half.mkv").frames < 200


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"this is no video\n" * 99, "no video"), (None, "no such file")],
)
def test_what_is_no_footage_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "in.mp4"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BadInput, match=said):
        probe(path)


def test_a_folder_and_a_playlist_are_refused(tmp_path: Path) -> None:
    barcode_video(tmp_path / "a.ts", Fraction(30), 10)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")

    for path in (tmp_path, tmp_path / "list.m3u8"):
        with pytest.raises(BadInput):
            probe(path)


def test_a_sound_track_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = flash_video(tmp_path / "in.mp4", NTSC, 3)

    assert probe(path, track=0).audio is not None
    with pytest.raises(BadInput, match="1 sound tracks"):
        probe(path, track=1)


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "rate", "is_vfr", "rotation_deg", "is_mirrored", "said"),
    [
        ("odd_12.5fps.mp4", "25/2", False, 0, False, ""),
        ("odd_phone_rot270.mp4", "30000/1001", False, 270, False, ""),
        ("odd_rotate_and_reflect.mp4", "30000/1001", False, 270, True, ""),
        ("odd_phone_vfr_rot180.mp4", None, True, 180, False, "variable frame rate"),
        ("odd_htc_mkv_1000fps.mkv", "30", False, 0, False, ""),
        ("odd_video_only.mp4", "30000/1001", False, 0, False, "no sound"),
        ("odd_no_stsd_audio.mp4", "30000/1001", False, 0, False, "cannot be decoded"),
        ("odd_video_starts_1s_late.mp4", "30", False, 0, False, "starts 1.00 s late"),
        ("odd_hlg10.mp4", "30", False, 0, False, "HDR"),
        ("odd_attached_png.mp4", "30", False, 0, False, ""),
        ("odd_no_duration.webm", "15000/1001", False, 0, False, ""),
    ],
)
def test_odd_footage(  # noqa: PLR0917 - a table
    media: Path,
    name: str,
    rate: str | None,
    is_vfr: bool,
    rotation_deg: int,
    is_mirrored: bool,
    said: str,
) -> None:
    source = probe(media / name)

    video = source.video
    assert video is not None
    assert rate is None or video.rate == Fraction(rate)
    assert (video.is_vfr, video.rotation_deg, video.is_mirrored) == (
        is_vfr,
        rotation_deg,
        is_mirrored,
    )
    assert said in " ".join(source.warnings)


@pytest.mark.media
def test_odd_clocks_and_shapes(media: Path) -> None:
    late = probe(media / "odd_first_pts_10s_anamorphic.mp4")
    assert late.zero_s == 10
    assert late.displayed_size() == (1137, 640)

    fragmented = probe(media / "odd_fragmented_wrong_duration.mp4")
    assert fragmented.duration_s < 2

    assert probe(media / "odd_sar_2by3.mp4").displayed_size() == (Fraction(1280, 3), 360)
    assert video_of(media / "odd_shorter_audio.mp4").color.range == "pc"
    with pytest.raises(BadInput, match="no picture"):
        probe(media / "odd_audio_only.mp4")
