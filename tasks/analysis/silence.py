"""Where nothing is said: found by level, voice activity and words together.

A moment is *active* when it is louder than the threshold and lies at or near speech (by the voice
detector, where there is one). Activity and words with only short pauses between them form a group;
what no group covers is silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from tasks.analysis.loudness import SILENT_DB
from tasks.analysis.transcript import Word
from tasks.settings import SilenceSettings
from tasks.timeline.time import Span, complement, merged

NOISE_MARGIN_DB = 6.0
"""The threshold lies this far above steady noise. The level of 10 ms of white noise scatters by
about 0.5 dB, of room tone and hum by 1 to 2 dB: three times that."""

SPEECH_MARGIN_DB = 10.0
"""The threshold lies at least this far below the speech: its softer sounds lie there (ITU-T P.56
counts speech as active down to 15.9 dB below its level). Where noise would ask for more, level
tells little and the voice detector decides."""

VOICE_REACH_S = 0.3
"""Sound this near to detected speech belongs to it: detectors miss soft first and last consonants,
the longest of which (a word's s or sh) last about 0.3 s."""

MIN_NOISE_S = 0.5
"""Less than this outside speech is too little to take the noise floor from."""


@dataclass(frozen=True, slots=True)
class SilenceMap:
    """Where nothing is said in one source, in source time, and by what measure."""

    spans: tuple[Span, ...]
    """What can go, in order, quiet to be kept either side already taken off."""
    threshold_db: float
    """Quieter than this counted as silent, in dBFS."""
    speech_level_db: float | None
    """Mean level of the speech (ITU-T P.56: power over active time); none where none was found."""
    noise_floor_db: float
    """Level of what is heard when nobody speaks."""

    @property
    def nothing_said(self) -> bool:
        """Whether no speech was found; there are no spans then, so that nothing is cut."""
        return self.speech_level_db is None


def find_silence(
    level_db: np.ndarray,
    step_s: float,
    vad_spans: tuple[Span, ...] | None,
    words: tuple[Word, ...],
    duration_s: float,
    settings: SilenceSettings,
) -> SilenceMap:
    """Return where nothing is said; no span touches a word.

    Args:
        level_db: levels in dBFS, shape (n,), one a `step_s` from source time 0
            (`tasks.analysis.loudness.levels_db`).
        vad_spans: where a voice detector hears speech, finely (pauses of 0.2 s told apart); none
            where it is not asked, then every sound counts.
        words: what was said, in source time; a cut never enters one.
        duration_s: length of the source.
    """
    level_db = _fitted(level_db, ceil(round(duration_s / step_s, 6)))
    spoken = [word.span for word in words]
    voiced = None if vad_spans is None else _mask(vad_spans, len(level_db), step_s)
    said = _mask([*spoken, *(vad_spans or ())], len(level_db), step_s)
    if vad_spans is None and not spoken:
        said = _loud_part(level_db, settings.threshold)
    noise_db = _noise_db(level_db, said, step_s)
    if not said.any():
        return SilenceMap((), settings.threshold, None, noise_db)
    speech_db = _mean_power_db(level_db[said])
    wanted_db = max(
        settings.threshold, speech_db + settings.threshold_relative, noise_db + NOISE_MARGIN_DB
    )
    threshold_db = min(wanted_db, speech_db - SPEECH_MARGIN_DB)
    active = level_db >= threshold_db
    if voiced is not None:
        active &= _widened(said, round(VOICE_REACH_S / step_s))
        if threshold_db < wanted_db:
            active |= voiced
    groups = _groups(_runs(active, step_s), spoken, vad_spans or (), settings)
    spans = _between(groups, duration_s, settings)
    return SilenceMap(spans, round(threshold_db, 1), round(speech_db, 1), round(noise_db, 1))


def _groups(
    active: list[Span], spoken: list[Span], voiced: Sequence[Span], settings: SilenceSettings
) -> tuple[Span, ...]:
    """Return what is said with its short pauses, less lone short sounds that nobody spoke."""
    certain = merged([*spoken, *voiced])
    groups = merged([*active, *spoken], settings.min_silence)
    return tuple(
        group
        for group in groups
        if group.duration_s >= settings.min_clip or _overlaps_any(group, certain)
    )


def _between(
    groups: tuple[Span, ...], duration_s: float, settings: SilenceSettings
) -> tuple[Span, ...]:
    """Return the silences between groups, quiet left on either side where something is said."""
    out = []
    for gap in complement(groups, Span(0.0, duration_s)) if groups else ():
        start_s = gap.start_s + (settings.padding if gap.start_s > 0 else 0.0)
        end_s = gap.end_s - (settings.padding if gap.end_s < duration_s else 0.0)
        if gap.duration_s >= settings.min_silence and end_s > start_s:
            out.append(Span(start_s, end_s))
    return tuple(out)


def _overlaps_any(group: Span, spans: tuple[Span, ...]) -> bool:
    return any(span.start_s <= group.end_s and group.start_s <= span.end_s for span in spans)


def _fitted(level_db: np.ndarray, steps: int) -> np.ndarray:
    """Return the levels cut or filled with silence to the length of the source."""
    missing = max(0, steps - len(level_db))
    return np.pad(level_db[:steps].astype(np.float64), (0, missing), constant_values=SILENT_DB)


def _mask(spans: Sequence[Span], steps: int, step_s: float) -> np.ndarray:
    mask = np.zeros(steps, bool)
    for span in spans:
        mask[max(0, floor(span.start_s / step_s)) : max(0, ceil(span.end_s / step_s))] = True
    return mask


def _widened(mask: np.ndarray, steps: int) -> np.ndarray:
    """Return the mask with every run made longer by some steps at both ends."""
    total = np.concatenate([[0], np.cumsum(mask)])
    at = np.arange(len(mask))
    wide: np.ndarray = (
        total[np.minimum(at + steps + 1, len(mask))] > total[np.maximum(at - steps, 0)]
    )
    return wide


def _runs(mask: np.ndarray, step_s: float) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]))).reshape(-1, 2)
    return [Span(float(start * step_s), float(end * step_s)) for start, end in edges]


def _mean_power_db(level_db: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(10 ** (level_db / 10))))


def _noise_db(level_db: np.ndarray, said: np.ndarray, step_s: float) -> float:
    """Return the median level well away from speech; with too little of it, a low percentile."""
    away = level_db[~_widened(said, round(VOICE_REACH_S / 2 / step_s))]
    if len(away) * step_s >= MIN_NOISE_S:
        return float(np.median(away))
    return float(np.percentile(level_db, 5)) if len(level_db) else SILENT_DB


def _loud_part(level_db: np.ndarray, threshold_db: float) -> np.ndarray:
    """Return what stands out from a recording in which nobody told where the speech is.

    Speech rises and falls; sound that stays within `SPEECH_MARGIN_DB`, or below the absolute
    threshold throughout, is noise alone.
    """
    if len(level_db) == 0:
        return np.zeros(0, bool)
    quiet_db, loud_db = np.percentile(level_db, [10, 95])
    if loud_db < threshold_db or loud_db - quiet_db < SPEECH_MARGIN_DB:
        return np.zeros(len(level_db), bool)
    loud: np.ndarray = level_db >= max((quiet_db + loud_db) / 2, loud_db - 30)
    return loud
