"""The sound in the form that analysis needs: 16 kHz mono FLAC, and its level every 10 ms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.analysis.loudness import levels_db
from tasks.caching import Made, Stored, stored
from tasks.keys import audio_key
from tasks.media.audio import extract_analysis_audio, iter_analysis
from tasks.media.digest import file_digest
from tasks.media.records import Entry
from tasks.run import Run
from tasks.timeline.model import Source

BLOCK_S = 60.0


@dataclass(frozen=True, slots=True)
class AnalysisAudio:
    """One source's sound for analysis, held by the run."""

    digest: str
    flac: Path
    levels: Path
    """numpy array, float32, shape (n,): RMS level in dBFS of each 10 ms."""

    def level_db(self) -> NDArray[np.float32]:
        """Return the levels, RMS dBFS of each 10 ms, float32, shape (n,)."""
        return np.asarray(np.load(self.levels, allow_pickle=False))


def _compute(run: Run, source: Source, work: Path) -> Made:
    """Return a source's sound for analysis."""
    flac, levels = work / "audio.flac", work / "levels.npy"
    extract_analysis_audio(run.footage[source.digest], source, flac)
    np.save(levels, levels_db(iter_analysis(flac, BLOCK_S)))
    return Made({"digest": file_digest(flac)}, {"flac": flac, "levels": levels})


def _load(_source: Source, entry: Entry) -> AnalysisAudio:
    return AnalysisAudio(entry.value["digest"], entry.blobs["flac"], entry.blobs["levels"])


extract_audio = stored(Stored("audio", lambda _, source: audio_key(source), _compute, _load))
