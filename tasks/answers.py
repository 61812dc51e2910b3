"""The answer to a whole edit that was made before: footage, settings, versions → film and report.

Nothing here loads Prefect, a model or FFmpeg: an edit asked for again costs next to nothing.
An answer holds while the film that it speaks of is found whole, where it was written or wherever
else it was seen last, and while what lies beside the film is as it was written.
"""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks.errors import BadInput, FinecutError
from tasks.keys import STEPS, Key, edit_key
from tasks.media import catalog, fonts, models
from tasks.media.files import check_no_footage, written_whole
from tasks.media.hardware import hardware
from tasks.media.records import Entry, Tier
from tasks.media.store import ProcessingCache
from tasks.media.usage import cpu_s
from tasks.render.encoders import SPECS
from tasks.render.history import RunRequest, run_document
from tasks.render.report import StepRecord
from tasks.run import run_id
from tasks.settings import EditSettings, Where

GPU = Path("/dev/nvidiactl")
"""Where there is one, speech is transcribed with other arithmetic."""


@dataclass(frozen=True, slots=True)
class EditRequest:
    """An edit as it is asked for."""

    videos: tuple[Path, ...]
    output: Path
    artifacts: Path | None
    """The folder for what lies beside the film; none: nothing."""
    settings: EditSettings


def key_of(store: ProcessingCache, asked: EditRequest) -> Key:
    """Return the key of an edit.

    Raises:
        BadInput: a file is missing or cannot be read.
    """
    return edit_key(
        [store.digest_of(video) for video in asked.videos],
        asked.settings,
        container=asked.output.suffix.lower(),
        tools=_machine(store, asked.settings),
        clips=_clip_digests(store, asked.settings),
    )


def _clip_digests(store: ProcessingCache, settings: EditSettings) -> list[str]:
    """Return the digest of each clip of b-roll; empty for one that cannot be read, or is not used.

    A film that lacks a clip for that reason is never remembered as an answer.
    """
    digests = []
    for clip in settings.broll.clips:
        try:
            digests.append(store.digest_of(clip.file) if settings.broll.enabled else "")
        except BadInput:
            digests.append("")
    return digests


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of an edit that was made before."""

    report: dict[str, Any]
    record: StepRecord
    """Of the step that found it."""


def answer(store: ProcessingCache, asked: EditRequest, key: Key) -> Answer | None:
    """Return the answer to an edit whose film is there already, or can be copied; else none.

    Raises:
        BadInput: the output is footage.
    """
    started_s = time.monotonic()
    clips = [clip.file for clip in asked.settings.broll.clips]
    check_no_footage(asked.output, [*asked.videos, *clips])
    entry = store.get(key.digest, _is_answer)
    if entry is None or not _lies_beside(store, asked, entry.value["beside"]):
        return None
    if not _is_in_place(store, asked.output, entry.value["film"]):
        return None
    wall_s = time.monotonic() - started_s
    report = _report(asked, key, entry.value["report"], wall_s)
    record = StepRecord(
        "edit",
        "hit",
        round(wall_s, 3),
        key.digest,
        key.fields,
        entry.seconds,
        report["summary"]["output_bytes"],
    )
    return Answer(report, record)


def answered(store: ProcessingCache, asked: EditRequest, *, preview: bool) -> dict[str, Any] | None:
    """Return the report of an edit that was made before, as a run of its own; else none.

    Raises:
        BadInput: a file is missing or cannot be read, or the output is footage.
    """
    started_unix_s = time.time()
    store.sweep()
    found = answer(store, asked, key_of(store, asked))
    if found is None:
        return None
    request = run_request(store, asked.videos, asked.output, asked.settings, preview=preview)
    wall_s, run = found.record.seconds, run_id(started_unix_s)
    store.note_run(run_document(run, started_unix_s, wall_s, request, [found.record]))
    return found.report


def run_request(
    store: ProcessingCache,
    videos: Sequence[Path],
    output: Path | None,
    settings: EditSettings,
    *,
    preview: bool,
) -> RunRequest:
    """Return what a run is asked for, as its document tells it."""
    named = []
    for video in videos:
        try:
            digest = store.digest_of(video)
        except BadInput:  # the run itself says so
            digest = ""
        named.append((str(video), digest))
    told = str(output) if output else None
    return RunRequest(tuple(named), told, settings.model_dump(mode="json"), preview)


def remember(
    store: ProcessingCache, asked: EditRequest, key: Key, report: Mapping[str, Any]
) -> None:
    """Keep the answer to an edit that was just made, and whose checks passed.

    Args:
        store: where to.
        asked: the edit.
        key: as it was when the edit began.
        report: of the run.
    """
    if [source["digest"] for source in report["sources"]] != list(key.footage):
        return  # the footage was another one by the time it was looked into
    clips = {clip["file"] for clip in key.fields["settings"]["broll.clips"]}
    if not {shown["digest"] for shown in report["broll"]} <= clips:
        return  # and so was a clip of b-roll
    beside = {
        kind: [Path(path).name, store.digest_of(Path(path))]
        for kind, path in report["artifacts"].items()
    }
    film = store.digest_of(asked.output)
    value = {"film": film, "beside": beside, "report": dict(report)}
    store.set(key, value, seconds=report["summary"]["wall_s"])


def _machine(store: ProcessingCache, settings: EditSettings) -> dict[str, str]:
    """Return what a film depends on besides the packages, as far as it is known at no cost."""
    tools = {
        "gpu": str(GPU.exists()),
        "faces": models.sha256_of(models.FACES),
        "fonts": f"{fonts.digest()} {fonts.machine_digest()}",
    }
    ffmpeg = os.environ.get("FINECUT_FFMPEG")
    tools["ffmpeg"] = store.digest_of(Path(ffmpeg)) if ffmpeg else version("imageio-ffmpeg")
    spec = SPECS.get(settings.render.encoder)
    if spec is None or not spec.is_software:
        tools["hardware"] = hardware()
        # Which encoder works depends on who renders; one in software is the same everywhere.
        is_local = settings.render.where is Where.LOCAL
        tools["where"] = "local" if is_local else f"pool {settings.render.pool}"
    own = Path(settings.transcript.model).expanduser()
    if own.exists():
        tools["speech"] = store.digest_of(own / "model.bin" if own.is_dir() else own)
    else:
        for name in (f"whisper-{own.name}", f"whisper-{own.name}-pt"):
            if name in catalog.MODELS:
                tools[name] = "+".join(file.sha256 for file in catalog.MODELS[name].files)
    return tools


def _is_answer(entry: Entry) -> bool:
    value = entry.value
    return isinstance(value, dict) and {"film", "beside", "report"} <= set(value)


def _lies_beside(store: ProcessingCache, asked: EditRequest, beside: Mapping[str, Any]) -> bool:
    """Return whether what was written beside the film is there as it was written."""
    if asked.artifacts is None:
        return True
    return bool(beside) and all(
        _is(store, asked.artifacts / name, digest) for name, digest in beside.values()
    )


def _is_in_place(store: ProcessingCache, output: Path, film: str) -> bool:
    """Return whether the film is where it is asked for, copied there if it is elsewhere."""
    if _is(store, output, film):
        return True
    for path in store.known_paths([film]):
        if _is(store, path, film):
            with written_whole(output) as part:
                shutil.copyfile(path, part)
            return True
    return False


def _is(store: ProcessingCache, path: Path, digest: str) -> bool:
    try:
        return path.is_file() and store.digest_of(path) == digest
    except FinecutError:
        return False


def _report(
    asked: EditRequest, key: Key, report: Mapping[str, Any], wall_s: float
) -> dict[str, Any]:
    """Return the report of the film as that of this run, in which nothing was worked on."""
    steps = [{**line, "state": _state_now(line), "seconds": 0.0} for line in report["steps"]]
    steps.insert(0, {"step": "edit", "state": "hit", "seconds": round(wall_s, 3), "count": 1})
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cost = {
        "chunks_rendered": 0,
        "wall_s": round(wall_s, 2),
        "cpu_s": round(cpu_s(), 2),
        "peak_memory_mb": round(peak_mb, 1),
    }
    folder = asked.artifacts
    known = [clip["file"] for clip in key.fields["settings"]["broll.clips"]]
    clips = dict(zip(known, asked.settings.broll.clips, strict=True))
    return {
        **report,
        "output": str(asked.output),
        "summary": {**report["summary"], **cost},
        "steps": steps,
        "sources": [
            {**source, "path": str(path)}
            for source, path in zip(report["sources"], asked.videos, strict=True)
        ],
        "broll": [{**shown, "clip": clips[shown["digest"]].file.name} for shown in report["broll"]],
        "artifacts": {
            kind: str(folder / Path(path).name)
            for kind, path in report["artifacts"].items()
            if folder
        },
    }


def _state_now(line: Mapping[str, Any]) -> str:
    """Return the state of a step whose result stands unchanged; what is never stored keeps its."""
    declared = STEPS.get(line["step"])
    is_stored = declared is not None and declared.tier is not Tier.DYNAMIC
    return "hit" if is_stored and line["state"] == "miss" else str(line["state"])
