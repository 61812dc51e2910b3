"""The voice detector: Silero, as faster-whisper ships it, over sound of any length.

The network is recurrent and each step also sees the end of the one before, so both are carried
from block to block: sound in blocks gives the same as sound in one piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tasks.analysis.voice import VOICE_STEP_SAMPLES
from tasks.errors import Missing, MissingLibrary

CONTEXT_SAMPLES = 64
"""How much of the step before the network sees (Silero at 16 kHz)."""
STATE_SHAPE = (1, 1, 128)
BATCH_STEPS = 2_000
"""Steps for one call of the network (about a minute): bounds the memory."""


def _session() -> Any:
    """Return the network's onnxruntime session (one thread, so that results repeat)."""
    try:
        from faster_whisper.vad import get_vad_model
    except ModuleNotFoundError as error:
        raise Missing(
            f"the voice detector needs the package {error.name}",
            "install finecut again, or turn it off: --set silence.voice_activity=false",
        ) from error
    except (ImportError, OSError) as error:
        raise MissingLibrary(f"the voice detector does not load: {error}") from error
    return get_vad_model().session


def iter_speech_probabilities(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the probability of speech for each 512 samples, block after block.

    Memory is bounded by the largest block. The last step is filled up with silence.

    Args:
        blocks: float32 mono samples at 16 kHz, -1 to 1, each of shape (n,), n of any size.

    Yields:
        float32 arrays of shape (steps,); joined they have ``ceil(samples / 512)`` steps.

    Raises:
        Missing: faster-whisper or onnxruntime is not installed.
    """
    session = _session()
    state = np.zeros(STATE_SHAPE, np.float32), np.zeros(STATE_SHAPE, np.float32)
    context = np.zeros(CONTEXT_SAMPLES, np.float32)
    rest = np.zeros(0, np.float32)
    for block in _batches(blocks):
        rest = np.concatenate((rest, block))
        whole = len(rest) - len(rest) % VOICE_STEP_SAMPLES
        if whole == 0:
            continue
        probabilities, state = _run(session, rest[:whole], context, state)
        context, rest = rest[whole - CONTEXT_SAMPLES : whole], rest[whole:]
        yield probabilities
    if len(rest):
        padded = np.pad(rest, (0, VOICE_STEP_SAMPLES - len(rest)))
        yield _run(session, padded, context, state)[0]


def speech_probabilities(samples: np.ndarray) -> np.ndarray:
    """Return the probability of speech for each 512 samples of float32 mono at 16 kHz.

    Returns:
        float32, shape ``(ceil(len(samples) / 512),)``.

    Raises:
        Missing: faster-whisper or onnxruntime is not installed.
    """
    parts = list(iter_speech_probabilities([samples]))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _batches(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the blocks cut into pieces that the network takes at once."""
    size = BATCH_STEPS * VOICE_STEP_SAMPLES
    for block in blocks:
        flat = np.asarray(block, np.float32)
        for start in range(0, len(flat), size):
            yield flat[start : start + size]


def _run(
    session: Any,
    samples: np.ndarray,
    context: np.ndarray,
    state: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Run the network over whole steps; return the probabilities and the state to go on with."""
    steps = samples.reshape(-1, VOICE_STEP_SAMPLES)
    before = np.concatenate((context[None], steps[:-1, -CONTEXT_SAMPLES:]))
    output, hidden, cell = session.run(
        None,
        {
            "input": np.concatenate((before, steps), axis=1),
            "h": state[0],
            "c": state[1],
        },
    )
    return output.reshape(-1), (hidden, cell)
