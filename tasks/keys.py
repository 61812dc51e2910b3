"""What the key of a result is made of. The one place that says so; it knows nothing of Prefect.

A key is the digest of: the step's name and version, the digests of its inputs' content, its own
settings as canonical JSON, and the identity of the tool or model where the result depends on it.
Never in a key: paths, names and times of files, log levels, run ids; nor threads or devices where
the result does not depend on them. No sets: their order changes from process to process.

Inputs are what upstream produced, not what upstream was made of: a change upstream that gives the
same result stops there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.analysis.faces import FaceTrack
from tasks.analysis.transcript import Word
from tasks.media import ffmpeg, fonts
from tasks.media.digest import bytes_digest
from tasks.media.engines import EngineIdentity
from tasks.media.hardware import hardware
from tasks.media.records import Tier, json_digest
from tasks.media.warp import renderer
from tasks.render.chunks import Chunk
from tasks.render.encoders import SPECS
from tasks.render.plan import RenderPlan, SoundPlan
from tasks.settings import (
    NO_RESULT,
    BrollSettings,
    EditSettings,
    FaceSettings,
    SilenceSettings,
    SoundSettings,
    SubtitleSettings,
    TranscriptSettings,
    ZoomSettings,
    names,
)
from tasks.timeline.document import to_document
from tasks.timeline.model import Canvas, Source, Timeline
from tasks.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Declared:
    """What a step declares of itself."""

    tier: Tier
    version: int
    """Raised whenever the step's code gives another result for the same inputs. Each raise gets a
    comment in `STEPS` that says what changed."""
    inputs: tuple[str, ...]
    settings: tuple[str, ...] = ()
    """Full names: ``silence.padding``."""
    optional: tuple[str, ...] = ()
    """Inputs that stand in a key only where there are such."""
    is_reproducible: bool = True
    """Whether the same inputs give the same bytes again on the same machine."""


def _named(group: str, model: type[BaseModel], *but: str) -> tuple[str, ...]:
    """Return the full names of a group's settings, but for some."""
    return tuple(f"{group}.{field}" for field in model.model_fields if field not in but)


STEPS = {
    # 2: the file's name is no input
    "probe": Declared(Tier.PERMANENT, 2, ("file",), ("sound.track",)),
    "audio": Declared(Tier.PERMANENT, 1, ("file", "stream")),
    "voice": Declared(Tier.PERMANENT, 1, ("audio",)),
    # 2: the language asked for is the input `language`, not a setting beside it
    "transcript": Declared(
        Tier.PERMANENT,
        2,
        ("sound", "language"),
        ("transcript.model", "transcript.prompt", "transcript.beam"),
    ),
    "faces": Declared(
        Tier.PERMANENT, 1, ("file", "video"), _named("faces", FaceSettings, "enabled")
    ),
    "silence": Declared(
        Tier.DYNAMIC,
        1,
        ("audio", "voice", "transcript"),
        _named("silence", SilenceSettings, "enabled"),
    ),
    "timeline": Declared(
        Tier.DYNAMIC,
        1,
        ("sources", "silence"),
        ("silence.enabled", "silence.min_clip", "render.frame_rate"),
    ),
    # 2: anchors lie about a period apart, and in long takes too
    "zoom": Declared(
        Tier.DYNAMIC, 2, ("timeline", "faces", "canvas"), _named("zoom", ZoomSettings, "enabled")
    ),
    # 2: cues end where a long pause was cut out
    "subtitles": Declared(
        Tier.DYNAMIC,
        2,
        ("timeline", "transcript", "canvas"),
        _named("subtitles", SubtitleSettings, "enabled"),
    ),
    "broll": Declared(Tier.DYNAMIC, 1, ("timeline", "assets"), ("broll.clips", "broll.fade")),
    "sound": Declared(Tier.CONDITIONAL, 1, ("clips", "streams", "rate", "sound")),
    # 2: where a source's time starts is a part of which picture is shown
    "chunk": Declared(
        Tier.CONDITIONAL,
        2,
        ("clips", "videos", "canvas", "zoom", "subtitles", "fonts", "encoding"),
        optional=("broll",),
    ),
    # raised too when what has no key of its own comes out differently: plan, join, report
    "edit": Declared(
        Tier.CONDITIONAL,
        1,
        ("footage", "container"),
        tuple(name for name, _, _ in names() if name not in NO_RESULT),
    ),
    # what workers on other machines are handed: no result of its own
    "plan": Declared(Tier.CONDITIONAL, 1, ("plan",)),
    "footage": Declared(Tier.CONDITIONAL, 1, ("file",)),
}
"""Every step that has a key, in the order of an edit."""

PACKAGES = (
    "finecut",
    "av",
    "ctranslate2",
    "faster-whisper",
    "imageio-ffmpeg",
    "mediapipe",
    "numpy",
    "onnxruntime",
    "openai-whisper",
    "opencv-contrib-python",
    "pillow",
    "pysubs2",
    "torch",
)
"""Packages that a film may depend on."""


@dataclass(frozen=True, slots=True)
class Key:
    """A digest, and the fields that it is the digest of."""

    digest: str
    fields: Mapping[str, Any]
    footage: tuple[str, ...] = ()
    """Digests of the footage behind it; no part of the digest."""

    @property
    def step(self) -> str:
        return str(self.fields["step"])

    @property
    def tier(self) -> str:
        return str(STEPS[self.step].tier)


def step_key(
    step: str,
    *,
    inputs: Mapping[str, Any],
    settings: Mapping[str, BaseModel] | None = None,
    tools: Mapping[str, str] | None = None,
    footage: Sequence[str] = (),
) -> Key:
    """Return the key of one step's result.

    Args:
        step: the step's name, a key of `STEPS`.
        inputs: digests (or small values) of what the step works on, by the names it declares.
        settings: groups of settings by name; what the step declares is taken from them, so that a
            default written out is the same as one left out.
        tools: identities of programs and models that the result depends on.
        footage: digests of the footage behind it, for whoever asks what belongs to a film.

    Raises:
        ValueError: the inputs are not those that the step declares.
    """
    declared = STEPS[step]
    if sorted(set(inputs) - set(declared.optional)) != sorted(declared.inputs):
        raise ValueError(f"{step} declares the inputs {declared.inputs}, got {tuple(inputs)}")
    dumped = {group: model.model_dump(mode="json") for group, model in (settings or {}).items()}
    chosen = {}
    for name in declared.settings:
        group, _, field = name.partition(".")
        chosen[name] = dumped[group][field]
    fields = {
        "step": step,
        "version": declared.version,
        "inputs": dict(inputs),
        "settings": chosen,
        "tools": dict(tools or {}),
    }
    return Key(json_digest(fields), fields, tuple(footage))


def probe_key(file: str, settings: SoundSettings) -> Key:
    """Return the key of what a file, given by its digest, is and holds."""
    return step_key(
        "probe", inputs={"file": file}, settings={"sound": settings}, tools=_pyav(), footage=[file]
    )


def audio_key(source: Source) -> Key:
    """Return the key of a source's sound in the form that analysis needs."""
    return step_key(
        "audio",
        inputs={"file": source.digest, "stream": to_document(source.audio)},
        tools=_pyav(),
        footage=[source.digest],
    )


def voice_key(source: Source, audio: str) -> Key:
    """Return the key of the spans in which somebody speaks, given the digest of the sound."""
    tools = {"vad": f"faster-whisper {version('faster-whisper')}"}
    return step_key("voice", inputs={"audio": audio}, tools=tools, footage=[source.digest])


def transcript_key(
    source: Source,
    samples: NDArray[np.float32],
    settings: TranscriptSettings,
    engine: EngineIdentity,
    language: str | None,
) -> Key:
    """Return the key of the words in one window of sound.

    Which engine, device and arithmetic were asked for does not matter, only which are used. A model
    of the user's own is known by its digest: its name is a path.
    """
    identity = asdict(engine)
    model = identity.pop("model")
    used = settings.model_copy(update={"model": "own" if "/" in model or "\\" in model else model})
    sound = bytes_digest(samples.tobytes())
    return step_key(
        "transcript",
        inputs={"sound": sound, "language": language},
        settings={"transcript": used},
        tools={name: str(value) for name, value in identity.items()},
        footage=[source.digest],
    )


def faces_key(source: Source, settings: FaceSettings, model_sha256: str) -> Key:
    """Return the key of where faces are in a source."""
    return step_key(
        "faces",
        inputs={"file": source.digest, "video": to_document(source.video)},
        settings={"faces": settings},
        tools={"detector": f"mediapipe {version('mediapipe')}", "model": model_sha256},
        footage=[source.digest],
    )


def silence_key(
    source: Source,
    audio: str,
    voice: Sequence[Span],
    words: Sequence[Word],
    settings: SilenceSettings,
) -> Key:
    """Return the key of where nothing is said in a source."""
    return step_key(
        "silence",
        inputs={
            "audio": audio,
            "voice": json_digest([[span.start_s, span.end_s] for span in voice]),
            "transcript": json_digest(words_document(words)),
        },
        settings={"silence": settings},
        footage=[source.digest],
    )


def timeline_key(sources: Sequence[Source], silence: Sequence[Any], settings: EditSettings) -> Key:
    """Return the key of what stays; `silence` holds a JSON value for each source."""
    return step_key(
        "timeline",
        inputs={
            "sources": [[source.digest, to_document(source.video)] for source in sources],
            "silence": json_digest(list(silence)),
        },
        settings={"silence": settings.silence, "render": settings.render},
        footage=[source.digest for source in sources],
    )


def zoom_key(
    sources: Sequence[Source],
    timeline: Timeline,
    faces: Sequence[FaceTrack],
    canvas: Canvas,
    settings: ZoomSettings,
) -> Key:
    """Return the key of the zoom layer."""
    return step_key(
        "zoom",
        inputs={
            "timeline": json_digest(to_document(timeline)),
            "faces": json_digest([to_document(track) for track in faces]),
            "canvas": to_document(canvas),
        },
        settings={"zoom": settings},
        footage=[source.digest for source in sources],
    )


def subtitles_key(
    sources: Sequence[Source],
    timeline: Timeline,
    words: Sequence[Sequence[Word]],
    canvas: Canvas,
    settings: SubtitleSettings,
) -> Key:
    """Return the key of the subtitle layer; `words` of each source, in source time."""
    return step_key(
        "subtitles",
        inputs={
            "timeline": json_digest(to_document(timeline)),
            "transcript": json_digest([w for said in words for w in words_document(said)]),
            "canvas": to_document(canvas),
        },
        settings={"subtitles": settings},
        footage=[source.digest for source in sources],
    )


def broll_key(
    sources: Sequence[Source],
    timeline: Timeline,
    clips: Sequence[Source | None],
    settings: BrollSettings,
) -> Key:
    """Return the key of the b-roll layer; `clips`: what each clip of the settings is, if it is."""
    digests = [clip.digest if clip else "" for clip in clips]
    videos = {clip.digest: to_document(clip.video) for clip in clips if clip and clip.video}
    return step_key(
        "broll",
        inputs={"timeline": json_digest(to_document(timeline)), "assets": videos},
        settings={"broll": _by_content(settings, digests)},
        footage=[source.digest for source in sources],
    )


def _by_content(settings: BrollSettings, digests: Sequence[str]) -> BrollSettings:
    """Return settings in which each clip is known by the digest of its file, not by its path."""
    known = tuple(
        clip.model_copy(update={"file": Path(digest or "missing")})
        for clip, digest in zip(settings.clips, digests, strict=True)
    )
    return settings.model_copy(update={"clips": known})


def sound_key(plan: RenderPlan, sound: SoundPlan) -> Key:
    """Return the key of the film's encoded sound."""
    rate = plan.timeline.rate
    digests = [source.digest for source in plan.sources]
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
            "clips": [[digests[c.source], c.source_in, c.source_out] for c in plan.timeline.clips],
            "streams": streams,
            "rate": str(rate),
            "sound": to_document(sound),
        },
        tools=_pyav(),
        footage=digests,
    )


def chunk_key(plan: RenderPlan, chunk: Chunk) -> Key:
    """Return a chunk's key: what it shows, counted from its own start, and what draws it."""
    sources = [plan.sources[clip.source] for clip in chunk.clips]
    clips = [
        [s.digest, c.source_in, c.source_out] for s, c in zip(sources, chunk.clips, strict=True)
    ]
    tools = {"ffmpeg": ffmpeg.version(), **_pyav(), "warp": renderer()}
    if chunk.subtitles and not fonts.is_drawn_alone(chunk.subtitles):
        tools["machine_fonts"] = fonts.machine_digest()
    if not SPECS[plan.encoding.encoder].is_software:
        tools["hardware"] = hardware()
    assets = list(dict.fromkeys(plan.assets[window.asset] for window in chunk.broll))
    digests = dict.fromkeys(source.digest for source in (*sources, *assets))
    return step_key(
        "chunk",
        inputs={
            "clips": clips,
            "videos": {source.digest: _pictures_of(source) for source in sources},
            "canvas": to_document(plan.canvas),
            "zoom": to_document(chunk.zoom) if chunk.zoom else None,
            "subtitles": chunk.subtitles,
            "fonts": fonts.digest() if chunk.subtitles else None,
            "encoding": to_document(plan.encoding),
            **({"broll": _broll_input(plan, chunk, assets)} if chunk.broll else {}),
        },
        tools=tools,
        footage=list(digests),
    )


def _pictures_of(source: Source) -> list[Any]:
    """Return what decides which picture of a file a frame shows."""
    return [to_document(source.video), str(source.zero_s)]


def _broll_input(plan: RenderPlan, chunk: Chunk, assets: Sequence[Source]) -> dict[str, Any]:
    """Return what of the b-roll a chunk shows; a chunk without any has no such input."""
    windows = [
        [plan.assets[w.asset].digest, w.start_frame, w.end_frame, w.asset_in, w.fade_frames]
        for w in chunk.broll
    ]
    videos = {asset.digest: _pictures_of(asset) for asset in assets}
    return {"windows": windows, "videos": videos}


def is_reproducible(fields: Mapping[str, Any]) -> bool:
    """Return whether a key's inputs give the same bytes again; no chip promises that."""
    return STEPS[fields["step"]].is_reproducible and "hardware" not in fields["tools"]


def plan_key(document: Any, footage: Sequence[str]) -> Key:
    """Return the key that a plan's document is kept under for workers."""
    return step_key("plan", inputs={"plan": json_digest(document)}, footage=footage)


def footage_key(digest: str) -> Key:
    """Return the key that a file of footage is kept under in the shared tier."""
    return step_key("footage", inputs={"file": digest}, footage=[digest])


def told_fields(key: Key) -> dict[str, str]:
    """Return a key's fields as short texts by full name, so that another machine can compare."""
    return {
        "version": str(key.fields["version"]),
        **{f"inputs.{name}": json_digest(value) for name, value in key.fields["inputs"].items()},
        **{f"tools.{name}": str(value) for name, value in key.fields["tools"].items()},
    }


def edit_key(
    footage: Sequence[str],
    settings: EditSettings,
    *,
    container: str,
    tools: Mapping[str, str],
    clips: Sequence[str] = (),
) -> Key:
    """Return the key of a whole edit.

    Args:
        footage: digests of the files, in order.
        settings: all settings.
        clips: digests of the clips of b-roll, in the settings' order; empty where one is missing.
        container: the film's suffix, ``.mp4``.
        tools: what is there on this machine besides the packages: models, FFmpeg, a GPU.
    """
    steps = {name: str(step.version) for name, step in STEPS.items()}
    groups = {name: getattr(settings, name) for name in EditSettings.model_fields}
    groups["broll"] = _by_content(settings.broll, clips)
    return step_key(
        "edit",
        inputs={"footage": list(footage), "container": container},
        settings=groups,
        tools={
            **_versions(),
            **{f"step {name}": number for name, number in steps.items()},
            **tools,
        },
        footage=footage,
    )


def words_document(words: Sequence[Word]) -> list[list[Any]]:
    """Return words as JSON: ``[text, start_s, end_s, probability, ends_phrase]`` each."""
    return [
        [word.text, word.start_s, word.end_s, word.probability, word.ends_phrase] for word in words
    ]


def _pyav() -> dict[str, str]:
    return {"pyav": version("av")}


def _versions() -> dict[str, str]:
    """Return the versions of the packages that a film may depend on and that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
