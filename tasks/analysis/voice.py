"""Where somebody speaks, from a voice detector's probabilities."""

from __future__ import annotations

import numpy as np

from tasks.timeline.time import Span, merged

VOICE_RATE_HZ = 16_000
VOICE_STEP_SAMPLES = 512
"""Silero's step: one probability for each 512 samples at 16 kHz."""
VOICE_STEP_S = VOICE_STEP_SAMPLES / VOICE_RATE_HZ

SPEECH_PROBABILITY = 0.5
"""From here on it is speech (Silero's own default)."""
SILENCE_PROBABILITY = 0.35
"""Below this speech is over; between the two it goes on (Silero's default: 0.15 less)."""
MIN_SPEECH_S = 0.1
"""Shorter than this no one has spoken: a click, a breath."""
MIN_PAUSE_S = 0.1
"""Speech that pauses for less than this goes on (Silero's default)."""

MAX_CLIP_S = 28.0
"""Two seconds less than Whisper looks at."""
LONG_PAUSE_S = 3.0
PAUSE_S = 1.0
FULL_CLIP_S = 10.0
"""Clips cost about the same whatever their length: a clip this long has earned its cost."""
CLIP_PAD_S = 0.3


def speech_spans(
    probabilities: np.ndarray,
    *,
    step_s: float = VOICE_STEP_S,
    min_speech_s: float = MIN_SPEECH_S,
    min_pause_s: float = MIN_PAUSE_S,
    pad_s: float = 0.0,
) -> tuple[Span, ...]:
    """Return where somebody speaks, in order, none touching another.

    Speech begins with a step of at least `SPEECH_PROBABILITY` and ends before the first one below
    `SILENCE_PROBABILITY` (hysteresis, as in Silero's reference code). Spans nearer than
    `min_pause_s` become one; what is then shorter than `min_speech_s` is dropped; the rest grows
    by `pad_s` on either side.

    Args:
        probabilities: shape (steps,), 0 to 1; step `i` covers ``[i, i + 1) * step_s``.
    """
    found: list[Span] = []
    start: int | None = None
    for step, probability in enumerate(probabilities):
        if start is None and probability >= SPEECH_PROBABILITY:
            start = step
        elif start is not None and probability < SILENCE_PROBABILITY:
            found.append(Span(start * step_s, step * step_s))
            start = None
    whole_s = len(probabilities) * step_s
    if start is not None:
        found.append(Span(start * step_s, whole_s))
    spoken = [span for span in merged(found, min_pause_s) if span.duration_s >= min_speech_s]
    return merged(
        [Span(max(0.0, s.start_s - pad_s), min(whole_s, s.end_s + pad_s)) for s in spoken]
    )


def speech_clips(
    spans: tuple[Span, ...], duration_s: float, *, pad_s: float = CLIP_PAD_S
) -> tuple[Span, ...]:
    """Return the pieces of a sound that are transcribed one by one: speech, without long pauses.

    A speech model looks at 30 s at once and is led astray by long pauses: it hears words in them,
    or moves the words beside them into them. So a clip ends before a pause of `LONG_PAUSE_S`,
    before one of `PAUSE_S` where it has `FULL_CLIP_S` already, and before it would get longer than
    `MAX_CLIP_S` (speech without any pause stays in one clip, however long).

    Args:
        spans: where somebody speaks, in order (see `speech_spans`).
        pad_s: how much a clip reaches beyond the speech, as far as no other clip is there.
    """
    groups: list[Span] = []
    for span in spans:
        if groups:
            last, pause = groups[-1], span.start_s - groups[-1].end_s
            fits = span.end_s - last.start_s + 2 * pad_s <= MAX_CLIP_S
            limit_s = LONG_PAUSE_S if last.duration_s < FULL_CLIP_S else PAUSE_S
            if fits and pause < limit_s:
                groups[-1] = Span(last.start_s, span.end_s)
                continue
        groups.append(span)
    clips: list[Span] = []
    for number, group in enumerate(groups):
        before_s = (groups[number - 1].end_s + group.start_s) / 2 if number else 0.0
        more = number + 1 < len(groups)
        after_s = (group.end_s + groups[number + 1].start_s) / 2 if more else duration_s
        start_s = max(before_s, group.start_s - pad_s)
        clips.append(Span(start_s, max(start_s, min(after_s, group.end_s + pad_s))))
    return tuple(clips)
