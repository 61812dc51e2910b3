"""Every encoder as data: its presets, its scale of quality, what it needs, what stands in for it.

Quality is given once and means the same picture whatever encodes it. Each encoder has three rungs
(draft, good, best), and a scale that turns an x264 rate factor into its own number. Where the
numbers come from:

- libx264: good measured VMAF 96.7 on 720p footage, veryfast at the same rate factor 93.8 for half
  the time.
- libx265, libsvtav1: measured against libx264 with libvmaf on 60 frames of the sample talk (720p,
  zoom moving), frames paired by number. Rungs, as VMAF of x264, x265, SVT-AV1: draft 87.6, 87.3, 88
  (89.0 at 56, 87.1 at 58; SVT-AV1 warns of presets above 9), good 96.4, 96.2, 96.4, best 97.2,
  97.3, 97.2. The scales are where the VMAF is that of x264 ``medium``, with x265 ``medium`` and
  SVT-AV1 ``8``, at rate factors from 10 to 42; straight lines between and beyond. SVT-AV1's worst,
  63, looks like 34.
- NVENC, QSV, VAAPI: their scales are the quantizer's, 0 … 51 as x264's (AV1 on NVENC 0 … 63:
  stretched; QSV's ICQ quality is 1 … 51 for every codec), so x264's numbers are used as they are.
  By documentation alone (``ffmpeg -h encoder=…``, Intel oneVPL ``ICQQuality``): no such hardware
  was at hand.
- VideoToolbox: 1 … 100, 100 is best. After a measurement that others published (ffmpeg-skill 2.6.0,
  SSIM on Apple silicon): x264's rate factors 18, 23, 28 are 75, 64, 53 in H.264, x265's are
  78, 68, 58 in HEVC, here by way of x265's scale.

A change of what stands here changes what an encoder gives for the same plan: raise the version of
the step ``chunk`` in `tasks.keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tasks.errors import BadSettings
from tasks.settings import Encoder, Quality

Option = tuple[str, str]
"""An option of FFmpeg and its value, in which ``{threads}`` stands for the plan's threads."""

Scale = tuple[tuple[float, float], ...]
"""x264 rate factors, rising, and the number of another encoder that looks like each."""

HARDWARE_SESSIONS = 2
"""Encodes at once in one process: NVIDIA's SDK long allowed two a system on consumer cards, and
other chips have one or two encoding units."""


@dataclass(frozen=True, slots=True)
class Rung:
    """What one of the three qualities means to an encoder."""

    preset: str
    """Empty where the encoder has none."""
    quality: float
    """On the encoder's own scale."""


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What has to be known to encode with one encoder."""

    codec: str
    rungs: tuple[Rung, Rung, Rung]
    """Draft, good, best."""
    presets: tuple[str, ...]
    """Every preset that may be asked for, fastest first."""
    quality_option: str
    scale: Scale
    bounds: tuple[float, float]
    """Least and greatest number that the option takes and that sets a constant quality."""
    options: tuple[Option, ...]
    """Closed GOPs, fixed threading, nothing of versions and dates; besides the common options."""
    is_whole: bool = False
    """Whether the option takes whole numbers only."""
    tag: str = ""
    """Codec tag in MP4 and MOV; empty: the muxer's own."""
    pixel_format: str = "yuv420p"
    device: tuple[str, ...] = ()
    """Options that open the hardware, ahead of all others."""
    upload: tuple[tuple[str, ...], ...] = ()
    """Filters behind the last layer, each with its arguments."""
    stand_in: Encoder | None = None
    """What encodes in its place where it does not work."""
    is_software: bool = False
    """Only software promises the same bytes for the same plan."""
    sessions: int | None = None
    """Most encodes at once; none: as many as keep the processor busy."""

    def rung(self, quality: Quality) -> Rung:
        return self.rungs[list(Quality).index(quality)]


X264_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"),
    "veryslow",
)
SVT_PRESETS = tuple(str(number) for number in range(13, -1, -1))
NVENC_PRESETS = tuple(f"p{number}" for number in range(1, 8))
QSV_PRESETS = ("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

SAME: Scale = ((0, 0), (51, 51))

X265_PARAMETERS = ":".join(
    [
        "open-gop=0",  # every key frame is an IDR frame, and no picture looks across it
        "info=0",  # no version and settings in the stream
        # What the number of threads would decide: x265 writes other bytes for other values.
        *("pools={threads}", "frame-threads=2", "wpp=1", "lookahead-slices=0"),
        "log-level=error",
    ]
)
SVT_PARAMETERS = "irefresh-type=2:scd=0:lp={threads}"
"""Key frames that nothing looks across, at fixed distances; ``lp`` is a level, at most 6."""


def _x264() -> EncoderSpec:
    return EncoderSpec(
        codec="h264",
        rungs=(Rung("veryfast", 26.0), Rung("medium", 20.0), Rung("slow", 17.0)),
        presets=X264_PRESETS,
        quality_option="crf",
        scale=SAME,
        bounds=(0, 51),
        options=(("threads", "{threads}"),),
        is_software=True,
    )


def _x265() -> EncoderSpec:
    return EncoderSpec(
        codec="hevc",
        rungs=(Rung("veryfast", 32.0), Rung("medium", 22.0), Rung("slow", 21.0)),
        presets=X264_PRESETS,
        quality_option="crf",
        scale=((0, 0), (10, 12), (20, 21.6), (26, 27.3), (36, 36.9), (51, 51)),
        bounds=(0, 51),
        options=(("threads", "{threads}"), ("x265-params", X265_PARAMETERS)),
        tag="hvc1",
        stand_in=Encoder.LIBX264,
        is_software=True,
    )


def _svtav1() -> EncoderSpec:
    return EncoderSpec(
        codec="av1",
        rungs=(Rung("9", 57.0), Rung("8", 30.0), Rung("6", 27.0)),
        presets=SVT_PRESETS,
        quality_option="crf",
        scale=(
            *((0, 1), (10, 3), (14, 13), (17, 22), (20, 30), (23, 40), (26, 52), (30, 59)),
            *((34, 63), (51, 63)),
        ),
        bounds=(1, 63),
        options=(("threads", "{threads}"), ("svtav1-params", SVT_PARAMETERS)),
        is_whole=True,
        stand_in=Encoder.LIBX264,
        is_software=True,
    )


def _nvenc(codec: str, stand_in: Encoder) -> EncoderSpec:
    """Return NVENC: IDR frames at each GOP, quality without a bit rate."""
    is_av1 = codec == "av1"
    scale: Scale = ((0, 1), (51, 63)) if is_av1 else ((0, 1), (1, 1), (51, 51))
    qualities = (33.0, 25.0, 22.0) if is_av1 else (26.0, 20.0, 17.0)
    draft, good, best = qualities
    return EncoderSpec(
        codec=codec,
        rungs=(Rung("p2", draft), Rung("p5", good), Rung("p7", best)),
        presets=NVENC_PRESETS,
        quality_option="cq",
        scale=scale,
        # 0 means "automatic".
        bounds=(1, 63 if is_av1 else 51),
        options=(("rc", "vbr"), ("b:v", "0"), ("tune", "hq"), ("forced-idr", "1")),
        tag="hvc1" if codec == "hevc" else "",
        stand_in=stand_in,
        sessions=HARDWARE_SESSIONS,
    )


def _qsv(codec: str, stand_in: Encoder) -> EncoderSpec:
    """Return Quick Sync: ICQ, which a global quality without look-ahead chooses."""
    idr: tuple[Option, ...] = () if codec == "av1" else (("idr_interval", "0"),)
    look: tuple[Option, ...] = (("look_ahead", "0"),) if codec == "h264" else ()
    return EncoderSpec(
        codec=codec,
        rungs=(Rung("veryfast", 26.0), Rung("medium", 20.0), Rung("slow", 17.0)),
        presets=QSV_PRESETS,
        quality_option="global_quality",
        scale=((0, 1), (1, 1), (51, 51)),
        bounds=(1, 51),
        options=(("forced_idr", "1"), *idr, *look),
        is_whole=True,
        tag="hvc1" if codec == "hevc" else "",
        pixel_format="nv12",
        stand_in=stand_in,
        sessions=HARDWARE_SESSIONS,
    )


def _vaapi(codec: str, stand_in: Encoder) -> EncoderSpec:
    """Return VAAPI: a constant quantizer, pictures uploaded; H.264 without its version in SEI."""
    quiet: Option = ("sei", "timing+recovery_point") if codec == "h264" else ("sei", "0")
    return EncoderSpec(
        codec=codec,
        rungs=(Rung("", 26.0), Rung("", 20.0), Rung("", 17.0)),
        presets=(),
        quality_option="qp",
        scale=((0, 1), (1, 1), (51, 51)),
        # 0 means "not set".
        bounds=(1, 51),
        options=(("rc_mode", "CQP"), ("idr_interval", "0"), quiet),
        is_whole=True,
        tag="hvc1" if codec == "hevc" else "",
        pixel_format="",
        device=("-init_hw_device", "vaapi=hw", "-filter_hw_device", "hw"),
        upload=(("format", "nv12"), ("hwupload",)),
        stand_in=stand_in,
        sessions=HARDWARE_SESSIONS,
    )


def _videotoolbox(codec: str, stand_in: Encoder) -> EncoderSpec:
    """Return VideoToolbox: constant quality (Apple silicon), hardware only."""
    scale: Scale = (
        ((0, 100), (18, 75), (28, 53), (51, 2))
        if codec == "h264"
        else ((0, 100), (16.5, 78), (26.7, 58), (51, 12))
    )
    draft, good, best = (57.0, 71.0, 77.0) if codec == "h264" else (59.0, 71.0, 77.0)
    return EncoderSpec(
        codec=codec,
        rungs=(Rung("", draft), Rung("", good), Rung("", best)),
        presets=(),
        quality_option="q:v",
        scale=scale,
        bounds=(1, 100),
        options=(("allow_sw", "0"),),
        is_whole=True,
        tag="hvc1" if codec == "hevc" else "",
        pixel_format="nv12",
        stand_in=stand_in,
        sessions=HARDWARE_SESSIONS,
    )


SPECS: Mapping[str, EncoderSpec] = {
    Encoder.LIBX264: _x264(),
    Encoder.LIBX265: _x265(),
    Encoder.LIBSVTAV1: _svtav1(),
    Encoder.H264_NVENC: _nvenc("h264", Encoder.LIBX264),
    Encoder.HEVC_NVENC: _nvenc("hevc", Encoder.LIBX265),
    Encoder.AV1_NVENC: _nvenc("av1", Encoder.LIBSVTAV1),
    Encoder.H264_QSV: _qsv("h264", Encoder.LIBX264),
    Encoder.HEVC_QSV: _qsv("hevc", Encoder.LIBX265),
    Encoder.AV1_QSV: _qsv("av1", Encoder.LIBSVTAV1),
    Encoder.H264_VAAPI: _vaapi("h264", Encoder.LIBX264),
    Encoder.HEVC_VAAPI: _vaapi("hevc", Encoder.LIBX265),
    Encoder.H264_VIDEOTOOLBOX: _videotoolbox("h264", Encoder.LIBX264),
    Encoder.HEVC_VIDEOTOOLBOX: _videotoolbox("hevc", Encoder.LIBX265),
}
"""Every encoder, by FFmpeg's name for it."""

AUTO_ORDER = (
    Encoder.H264_NVENC,
    Encoder.H264_QSV,
    Encoder.H264_VIDEOTOOLBOX,
    Encoder.H264_VAAPI,
)
"""What ``auto`` takes the first of that works, and libx264 where none does."""

Unproven = Callable[[Encoder], str]
"""Says why an encoder does not work where the film is rendered; empty where it does."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The encoder that a film gets, and what is to be told about it."""

    encoder: Encoder
    warnings: tuple[str, ...] = ()


def chosen(asked: Encoder, unproven: Unproven) -> Choice:
    """Return the encoder for a film: the one asked for, or what stands in for it, with a warning.

    Args:
        asked: what the settings or a plan name.
        unproven: what is known of the machines that render; several answer for all of them.
    """
    if asked is Encoder.AUTO:
        works = (encoder for encoder in AUTO_ORDER if not unproven(encoder))
        return Choice(next(works, Encoder.LIBX264))
    encoder: Encoder = asked
    warnings: list[str] = []
    # libx264 is in every build that is of use, and has nothing behind it: it need not be proven.
    while (other := SPECS[encoder].stand_in) and (reason := unproven(encoder)):
        warnings.append(fall_back_text(encoder, other, reason))
        encoder = other
    return Choice(encoder, tuple(warnings))


def fall_back_text(encoder: str, other: str, reason: str) -> str:
    """Return the warning that one encoder takes the place of another."""
    return f"{encoder} does not work here, so {other} encodes the film: {reason}"


def check_container(encoder: str, suffix: str) -> None:
    """See that what an encoder writes can be put into a container, given by its suffix.

    Raises:
        BadSettings: it cannot.
    """
    if SPECS[encoder].codec == "av1" and suffix.lower() == ".mov":
        raise BadSettings(
            f"render.encoder {encoder} writes AV1, which FFmpeg puts into no .mov",
            "name the film .mp4 or .mkv, or choose another render.encoder",
        )


def own_quality(encoder: str, crf: float) -> float:
    """Return an encoder's own number for an x264 rate factor (0 … 51)."""
    spec = SPECS[encoder]
    number = _along(spec.scale, crf)
    low, high = spec.bounds
    return min(high, max(low, float(round(number)) if spec.is_whole else round(number, 2)))


def x264_quality(encoder: str, quality: float) -> float:
    """Return the x264 rate factor for an encoder's own number."""
    turned = sorted((own, crf) for crf, own in SPECS[encoder].scale)
    return round(_along(tuple(turned), quality), 2)


def _along(points: Scale, at: float) -> float:
    """Return the height at `at` of the line through some points, level beyond its ends."""
    if at <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if at <= x1 and x1 > x0:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return points[-1][1]


def moved(encoder: str, preset: str, quality: float, other: str) -> Rung:
    """Return what another encoder has to be given for the same picture at a like speed.

    Args:
        encoder: the encoder that the preset and the number belong to.
        preset: its preset.
        quality: its own number.
        other: the encoder that takes its place.
    """
    old, new = SPECS[encoder], SPECS[other]
    same = [n for n, rung in enumerate(old.rungs) if rung.quality == quality]
    number = (
        new.rungs[same[0]].quality if same else own_quality(other, x264_quality(encoder, quality))
    )
    if preset in new.presets and old.presets == new.presets:
        return Rung(preset, number)
    return Rung(new.rungs[_nearest_rung(old, preset, same)].preset, number)


def _nearest_rung(spec: EncoderSpec, preset: str, same: list[int]) -> int:
    """Return the rung whose preset is nearest; without presets the one of that quality, or good."""
    if preset not in spec.presets:
        return same[0] if same else 1
    at = spec.presets.index(preset)
    return min(range(3), key=lambda n: abs(spec.presets.index(spec.rungs[n].preset) - at))
