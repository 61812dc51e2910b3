"""What transcribes: which program is installed, with which weights, on which device.

Cheap: nothing here loads or fetches weights, so the answer can go into the keys of results.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks.errors import BadSettings, Missing, MissingLibrary
from tasks.media import models
from tasks.media.catalog import Model
from tasks.settings import Engine, TranscriptSettings


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """What transcribes: everything that its result depends on, apart from sound and settings."""

    program: str
    """``faster-whisper`` or ``openai-whisper``."""
    version: str
    """Of the program and of what computes for it."""
    model: str
    """As in the settings."""
    model_digest: str
    """SHA-256 of the weights."""
    device: str
    """``cpu`` or ``cuda``."""
    compute_type: str
    """``int8``, ``int8_float16``, ``float16`` or ``float32``."""

    def __str__(self) -> str:
        what = f"{self.program} {self.version}, {self.model}"
        return f"{what}, {self.device}, {self.compute_type}"


@dataclass(frozen=True, slots=True)
class _Engine:
    """A program by the packages that it needs."""

    program: Engine
    packages: tuple[str, ...]
    install: str


_ENGINES = {
    Engine.FASTER_WHISPER: _Engine(
        Engine.FASTER_WHISPER,
        ("faster-whisper", "ctranslate2"),
        "install finecut again: pip install finecut",
    ),
    Engine.OPENAI_WHISPER: _Engine(
        Engine.OPENAI_WHISPER, ("openai-whisper", "torch"), "pip install 'finecut[whisper]'"
    ),
}


def resolve_engine(settings: TranscriptSettings) -> EngineIdentity:
    """Return what will transcribe under these settings; loads and fetches no weights.

    Raises:
        Missing: no program for it is installed; says what to install.
        BadSettings: no such model, or the device or the arithmetic is not to be had.
    """
    engine = _installed(settings.engine)
    if engine.program is Engine.FASTER_WHISPER:
        device, compute_type = _ct2_arithmetic(settings)
    else:
        device, compute_type = _torch_arithmetic(settings)
    weights = weights_for(engine.program, settings.model)
    chosen = next((each for each in weights if each.is_present), weights[-1])
    return EngineIdentity(
        program=str(engine.program),
        version="+".join(version(package) for package in engine.packages),
        model=settings.model,
        model_digest=chosen.digest,
        device=device,
        compute_type=compute_type,
    )


def _has(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _installed(wanted: Engine) -> _Engine:
    """Return the program to use, the first that is installed where any will do."""
    names = list(_ENGINES) if wanted is Engine.AUTO else [wanted]
    for name in names:
        if all(_has(package) for package in _ENGINES[name].packages):
            return _ENGINES[name]
    raise Missing(
        f"no speech recognition is installed: {' or '.join(names)} is needed",
        _ENGINES[names[0]].install,
    )


def _ct2_arithmetic(settings: TranscriptSettings) -> tuple[str, str]:
    """Return device and compute type for faster-whisper."""
    ctranslate2 = _imported("ctranslate2")
    device = settings.device
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    elif device == "cuda" and not ctranslate2.get_cuda_device_count():
        raise BadSettings("transcript.device is 'cuda', but there is no such device", "use 'auto'")
    offered = ctranslate2.get_supported_compute_types(device)
    if settings.compute_type == "auto":
        wished = ("float16", "float32") if device == "cuda" else ("int8", "float32")
        return device, next(kind for kind in wished if kind in offered)
    if settings.compute_type not in offered:
        raise BadSettings(
            f"transcript.compute_type {settings.compute_type!r} does not run on this {device}",
            f"choose one of: auto, {', '.join(sorted(offered))}",
        )
    return device, settings.compute_type


def _torch_arithmetic(settings: TranscriptSettings) -> tuple[str, str]:
    """Return device and compute type for openai-whisper."""
    has_cuda = settings.device != "cpu" and _imported("torch").cuda.is_available()
    if settings.device == "cuda" and not has_cuda:
        raise BadSettings("transcript.device is 'cuda', but there is no such device", "use 'auto'")
    device, own = ("cuda", "float16") if has_cuda else ("cpu", "float32")
    compute_type = own if settings.compute_type == "auto" else settings.compute_type
    if compute_type not in ("float32", own):
        raise BadSettings(
            f"openai-whisper does not compute in {compute_type!r} on this {device}",
            f"choose auto, {own} or float32, or the engine faster-whisper",
        )
    return device, compute_type


def _imported(name: str) -> Any:
    """Import a package whose absence or broken libraries are the user's to mend."""
    try:
        return __import__(name)
    except ModuleNotFoundError as error:
        raise Missing(
            f"the package {error.name!r} is missing", "install finecut (or its extra) again"
        ) from error
    except (ImportError, OSError) as error:
        raise MissingLibrary(
            f"{name} does not load: {error}", "install the system library that it names"
        ) from error


@dataclass(frozen=True, slots=True)
class Weights:
    """Where weights are, or will be fetched to, and their digest."""

    digest: str
    name: str = ""
    """In `models.MODELS`; empty for a path of the user's own."""
    own: Path | None = None

    @property
    def is_present(self) -> bool:
        return self.own is not None or models.is_present(self.name)

    @property
    def path(self) -> Path:
        return self.own if self.own is not None else models.model_path(self.name)


def weights_for(program: str, model: str) -> tuple[Weights, ...]:
    """Return the weights that a program can use under a name or path, the best first.

    openai-whisper takes its own checkpoint where that is there, else CTranslate2's form of the
    same numbers, which more sources offer.
    """
    own = Path(model).expanduser()
    if own.exists():
        file = own / "model.bin" if own.is_dir() else own
        if not file.is_file() or (own.is_file() and program == Engine.FASTER_WHISPER):
            raise BadSettings(
                f"transcript.model: {own} holds no weights for {program}",
                "name a folder with model.bin, config.json, tokenizer.json and vocabulary",
            )
        return (Weights(models.file_sha256(file), own=own),)
    names = [f"whisper-{model}"]
    if program == Engine.OPENAI_WHISPER:
        names.insert(0, f"whisper-{model}-pt")
    known = [name for name in names if name in models.MODELS]
    if not known:
        sizes = (name.removeprefix("whisper-") for name in models.MODELS if name[:8] == "whisper-")
        raise BadSettings(
            f"transcript.model: there is no speech model {model!r}",
            f"choose one of: {', '.join(s for s in sizes if not s.endswith('-pt'))}, or a folder",
        )
    return tuple(Weights(_digest(models.MODELS[name]), name) for name in known)


def _digest(model: Model) -> str:
    """Return the digest of the file that holds the numbers."""
    files = {file.name: file.sha256 for file in model.files}
    return files.get("model.bin") or model.files[0].sha256
