"""Whether an encoder works: tried for real, with the reason where it does not."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tasks.choose_encoder import proven, unproven, unproven_among
from tasks.errors import ToolFailed
from tasks.media import encoders, ffmpeg
from tasks.media.encoders import CLIP, FRAMES, HEIGHT_PX, WIDTH_PX, proof, reason
from tasks.media.hardware import hardware
from tasks.render.encoders import SPECS
from tasks.settings import Encoder

SOFTWARE = [Encoder(name) for name, spec in SPECS.items() if spec.is_software]
IN_THE_BUILD = [name for name in map(Encoder, SPECS) if not name.endswith("videotoolbox")]
RAW = (
    *("-f", "rawvideo", "-pixel_format", "yuv420p", "-framerate", "30"),
    *("-video_size", f"{WIDTH_PX}x{HEIGHT_PX}", "-i", "pipe:0"),
)


@pytest.mark.parametrize("encoder", SOFTWARE)
def test_software_encoders_work_everywhere(encoder: Encoder) -> None:
    assert unproven(encoder) == ""
    assert proven(encoder)


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="a GPU may be able to")
def test_an_encoder_that_is_only_listed_is_not_proven_and_says_why() -> None:
    assert not proven(Encoder.H264_NVENC)
    assert "libcuda" in unproven(Encoder.H264_NVENC)


@pytest.mark.parametrize("encoder", IN_THE_BUILD)
def test_the_build_knows_every_option(encoder: Encoder) -> None:
    """FFmpeg looks at the options before it looks for the hardware."""
    text = unproven(encoder)

    assert not any(sign in text for sign in ("nrecognized", "Unknown", "parse", "Option"))


def test_an_encoder_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proven(Encoder.LIBX264)
    monkeypatch.setattr(ffmpeg, "run", lambda *_, **__: pytest.fail("tried again"))

    assert proven(Encoder.LIBX264)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("-frames:v", "5"), f"of {FRAMES} pictures it wrote 5"),
        (("-vf", "select=not(mod(n\\,2))"), f"of {FRAMES} pictures it wrote 6"),
        (("-bsf:v", "noise=amount=3"), "cannot be read"),
        (("-f", "rawvideo"), "two pictures one time"),
    ],
)
def test_what_was_encoded_is_read_back(options: tuple[str, ...], says: str) -> None:
    assert says in proof((*RAW, "-c:v", "libx264", "-preset", "ultrafast", *options, CLIP))


def test_a_driver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "STALL_S", 0.5)
    endless = ("-re", "-f", "lavfi", "-i", "anullsrc", *RAW, "-map", "0", "-f", "null", "-")

    assert "no progress" in proof(endless)


def test_the_reason_is_what_was_said_first_without_addresses() -> None:
    error = ToolFailed(
        "FFmpeg failed with exit code 255\n"
        "Svt[info]: SVT [version]: 4\n"
        "[h264_nvenc @ 0x56276f848540] Cannot load libcuda.so.1\n"
        "[vost#0:0/h264_nvenc @ 0x1] [enc:h264_nvenc @ 0x2] Error while opening encoder"
    )

    assert reason(error) == "Cannot load libcuda.so.1"
    assert reason(ToolFailed("FFmpeg made no progress for 20 s\n")).startswith("FFmpeg made no")


def test_hardware_is_named_in_one_line_and_the_same_each_time() -> None:
    assert hardware() == hardware()
    assert "\n" not in hardware()


def test_without_a_chip_the_system_tells_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.media.hardware.PLACES", ())
    for version, release in (("15.1", "24.1.0"), ("15.2", "24.2.0"), ("", "5.15-WSL2")):
        monkeypatch.setattr(platform, "mac_ver", lambda v=version: (v, ("", "", ""), ""))
        monkeypatch.setattr(platform, "release", lambda r=release: r)
        assert hardware().endswith(f"; {version or release}")


def test_a_pool_encodes_with_hardware_where_all_of_it_is_the_dealers() -> None:
    both = ["libx264", "h264_nvenc"]
    here = {"encoders": both, "hardware": hardware()}
    there = {"encoders": both, "hardware": "another chip"}
    bare = {"encoders": ["libx264"]}

    assert unproven_among({"a": here, "b": here})(Encoder.H264_NVENC) == ""
    why_not = unproven_among({"a": here, "b": there})
    assert why_not(Encoder.H264_NVENC) == "other hardware than this machine's on b"
    assert why_not(Encoder.LIBX264) == ""
    why_not = unproven_among({"a": here, "b": there, "c": bare})
    assert why_not(Encoder.H264_NVENC) == "not proven on c"
    assert why_not(Encoder.LIBX264) == ""
