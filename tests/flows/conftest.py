"""Prefect for tests: a server of its own, started once, for it takes its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.cli import environment

environment.prepare(verbose=False)

from prefect.testing.utilities import prefect_test_harness  # noqa: E402 - Prefect reads it once


@pytest.fixture(scope="session", autouse=True)
def prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture
def footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for footage and films, with a store of its own."""
    monkeypatch.setenv("FINECUT_CACHE", str(tmp_path / "store"))
    return tmp_path
