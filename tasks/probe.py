"""What each file of footage is and holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tasks.caching import Made, Stored, stored
from tasks.keys import Key, probe_key
from tasks.media.probe import probe as probe_file
from tasks.media.records import Entry
from tasks.run import Run
from tasks.settings import SoundSettings
from tasks.timeline.document import from_document, to_document
from tasks.timeline.model import Source


@dataclass(frozen=True, slots=True)
class Probing:
    """A file, and which of its sound tracks is wanted."""

    path: Path
    settings: SoundSettings


def _key(run: Run, given: Probing) -> Key:
    digest = run.store.digest_of(given.path)
    run.footage[digest] = given.path
    return probe_key(digest, given.settings)


def _compute(run: Run, given: Probing, _work: Path) -> Made:
    """Return what a file holds."""
    digest = run.store.digest_of(given.path)
    return Made(to_document(probe_file(given.path, digest=digest, track=given.settings.track)))


def _load(given: Probing, entry: Entry) -> Source:
    # The same bytes may bear another name today.
    return replace(from_document(Source, entry.value), name=given.path.name)


probe = stored(Stored("probe", _key, _compute, _load))
