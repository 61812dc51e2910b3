"""The sound in the form that analysis needs: 16 kHz mono FLAC, and its level every 10 ms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from prefect import task

from tasks.analysis.loudness import levels_db
from tasks.caching import STEP, Made, Result, remembered
from tasks.keys import step_key
from tasks.media.audio import extract_analysis_audio, iter_analysis
from tasks.media.digest import file_digest
from tasks.run import Held, Run
from tasks.timeline.document import to_document
from tasks.timeline.model import Source

BLOCK_S = 60.0


@dataclass(frozen=True, slots=True)
class AnalysisAudio:
    """One source's sound for analysis, in the store."""

    digest: str
    flac: Path
    levels: Path
    """numpy array, float32, shape (n,): RMS level in dBFS of each 10 ms."""

    def level_db(self) -> NDArray[np.float32]:
        """Return the levels, RMS dBFS of each 10 ms, float32, shape (n,)."""
        return np.asarray(np.load(self.levels, allow_pickle=False))


def _extract(run: Run, source: Source, folder: Path) -> Made:
    flac, levels = folder / "audio.flac", folder / "levels.npy"
    extract_analysis_audio(run.footage[source.digest], source, flac)
    np.save(levels, levels_db(iter_analysis(flac, BLOCK_S)))
    return Made({"digest": file_digest(flac)}, {"flac": flac, "levels": levels})


@task(name="audio", **STEP)
def extract_audio(run: Run, held_source: Held[Source]) -> Result[AnalysisAudio]:
    """Return a source's sound for analysis."""
    source = held_source.value
    key = step_key(
        "audio",
        inputs={"file": source.digest, "stream": to_document(source.audio)},
        tools={"pyav": av.__version__},
    )
    result = remembered(
        run,
        key,
        lambda folder: _extract(run, source, folder),
        lambda entry: AnalysisAudio(
            entry.value["digest"], entry.blobs["flac"], entry.blobs["levels"]
        ),
    )
    return result.state()  # type: ignore[return-value]
