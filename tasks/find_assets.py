"""What each clip of b-roll is; one that cannot be used is left out, and told of."""

from __future__ import annotations

from pathlib import Path

from tasks.caching import result_of
from tasks.engine import done
from tasks.errors import BadInput, BadSettings
from tasks.layers.broll import MAX_ASPECT, fills_a_picture
from tasks.probe import Probing, probe
from tasks.render.report import StepRecord
from tasks.run import Held, Run
from tasks.settings import BrollSettings, SoundSettings
from tasks.timeline.model import Source

SILENT = SoundSettings()
"""The clips' own sound is not used: which of their tracks the talk's settings name is no matter."""


def find_assets(run: Run, settings: BrollSettings, videos: int) -> tuple[Source | None, ...]:
    """Return what each clip of the settings is; none for one that cannot be used.

    Args:
        run: the run.
        settings: the clips.
        videos: how many files make up the talk.

    Raises:
        BadSettings: a clip is placed in a file of the talk that there is not.
    """
    if not settings.enabled:
        return ()
    for number, clip in enumerate(settings.clips):
        if clip.source >= videos:
            raise BadSettings(
                f"broll.clips.{number}.source is {clip.source}, and the talk has {videos} files",
                "count them from 0",
            )
    found = {path: _asset(run, path) for path in {clip.file: None for clip in settings.clips}}
    return tuple(found[clip.file] for clip in settings.clips)


def _asset(run: Run, path: Path) -> Source | None:
    """Return what a file is; none, with a warning, where it cannot be shown."""
    try:
        return _probed(run, path)
    except BadInput as error:
        run.warn(f"b-roll is left out: {error.message}")
        # The film is not what was asked for: the next run tries again.
        run.record(StepRecord("broll", "degraded", 0.0))
        return None


def _probed(run: Run, path: Path) -> Source:
    """Return what a file is.

    Raises:
        BadInput: it is missing, holds no picture, or one too long and thin to fill the film's.
    """
    run.store.digest_of(path)
    asset: Source = result_of(run, done(probe, run, Held(Probing(path, SILENT))))
    if not fills_a_picture(asset):
        raise BadInput(f"{path} is more than {MAX_ASPECT} times as long as wide")
    return asset
