"""What tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tasks.media.store import ProcessingCache
from tasks.run import Run

# A shared machine stalls for longer than any deadline that would tell something.
settings.register_profile("finecut", deadline=None, derandomize=True)
settings.load_profile("finecut")

MEDIA = Path(os.environ.get("FINECUT_MEDIA", Path(__file__).parents[2] / "shared" / "media"))


@pytest.fixture(scope="session")
def media() -> Path:
    """Return the folder of real footage, or skip where it is absent."""
    if not MEDIA.is_dir():
        pytest.skip("the folder of real footage is not here (FINECUT_MEDIA names it)")
    return MEDIA


@pytest.fixture
def store(tmp_path: Path) -> ProcessingCache:
    """Return an empty store."""
    return ProcessingCache(tmp_path / "store")


@pytest.fixture
def run(store: ProcessingCache) -> Iterator[Run]:
    """Return a run on an empty store; tests fill in where the footage lies."""
    run = Run({}, store)
    yield run
    run.memory.stop()
