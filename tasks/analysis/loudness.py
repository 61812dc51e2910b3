"""How loud the sound is, every 10 ms, without what lies below speech (hum, rumble, handling)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

STEP_S = 0.01
"""One level in 10 ms: shorter than any speech sound, longer than a period of a low voice."""

SILENT_DB = -120.0
"""The level of digital silence; 16-bit sound has nothing between it and -98 dBFS."""

HIGH_PASS_HZ = 100.0
_TAPS = 1025
"""At 16 kHz a Hamming-windowed filter of this length falls within 52 Hz (3.3 x rate / taps; Harris
1978): mains hum at 50 and 60 Hz is taken out by 45 dB or more, 130 Hz stays whole."""


def levels_db(blocks: Iterable[np.ndarray], rate_hz: int = 16_000) -> np.ndarray:
    """Return the RMS level of every 10 ms in dBFS (a full-scale sine is -3), above 100 Hz.

    Args:
        blocks: mono float32 in [-1, 1], streamed; block lengths do not change the result.
        rate_hz: their sample rate, a multiple of 100.

    Returns:
        float32, one value a `STEP_S`; value `i` covers ``[i, i + 1) * STEP_S``. A last step that
        the sound fills only in part counts as filled with silence.
    """
    step = round(rate_hz * STEP_S)
    powers: list[np.ndarray] = []
    rest = np.zeros(0, np.float32)
    for block in _high_passed(blocks, rate_hz):
        rest = np.concatenate([rest, block])
        whole = len(rest) // step * step
        powers.append(_mean_squares(rest[:whole], step))
        rest = rest[whole:]
    if len(rest):
        powers.append(_mean_squares(np.pad(rest, (0, step - len(rest))), step))
    power = np.concatenate(powers) if powers else np.zeros(0, np.float32)
    floor = 10 ** (SILENT_DB / 10)
    level: np.ndarray = 10 * np.log10(np.maximum(power, floor))
    return level.astype(np.float32)


def _mean_squares(samples: np.ndarray, step: int) -> np.ndarray:
    frames = samples.reshape(-1, step)
    power: np.ndarray = np.einsum("ij,ij->i", frames, frames) / step
    return power


def _high_passed(blocks: Iterable[np.ndarray], rate_hz: int) -> Iterator[np.ndarray]:
    """Yield the same number of samples, delay made up for: overlap-save with a symmetric filter."""
    size = 1 << 15
    spectrum = np.fft.rfft(_high_pass(rate_hz), size)
    hop = size - _TAPS + 1
    held = np.zeros(_TAPS // 2, np.float32)
    taken = given = 0
    for block in blocks:
        taken += len(block)
        held = np.concatenate([held, block])
        while len(held) >= size:
            yield _filtered(held[:size], spectrum)
            given += hop
            held = held[hop:]
    while given < taken:
        window = np.pad(held[:size], (0, max(0, size - len(held))))
        yield _filtered(window, spectrum)[: taken - given]
        given += hop
        held = held[hop:]


def _filtered(window: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    out: np.ndarray = np.fft.irfft(np.fft.rfft(window) * spectrum, len(window))[_TAPS - 1 :]
    return out.astype(np.float32)


def _high_pass(rate_hz: int) -> np.ndarray:
    """Return the taps of a windowed-sinc high-pass: an impulse less a low-pass of gain 1."""
    n = np.arange(_TAPS) - _TAPS // 2
    low: np.ndarray = np.sinc(2 * HIGH_PASS_HZ / rate_hz * n) * np.hamming(_TAPS)
    high: np.ndarray = -low / low.sum()
    high[_TAPS // 2] += 1
    return high
