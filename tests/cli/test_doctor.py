"""What the doctor finds."""

from __future__ import annotations

import pytest

from deployments.cli import doctor
from tasks.settings import Encoder


def encoders() -> doctor.Finding:
    [found] = [finding for finding in doctor.examine() if finding.name == "encoders"]
    return found


def test_the_doctor_names_the_encoders_that_work_and_why_others_do_not() -> None:
    found = encoders()

    assert found.ok
    assert found.found.startswith("libx264, libx265, libsvtav1")
    assert all(str(name) in found.found for name in Encoder if name is not Encoder.AUTO)


def test_a_build_without_x264_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "unproven", lambda _: "Unknown encoder")

    found = encoders()

    assert found.is_needed and not found.ok
    assert "Unknown encoder" in found.found
    assert "FINECUT_FFMPEG" in found.hint
