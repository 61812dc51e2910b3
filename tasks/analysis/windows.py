"""Long speech in windows, cut at pauses, so that memory does not grow with the film."""

from __future__ import annotations

from tasks.timeline.time import Span, complement


def speech_windows(voice: tuple[Span, ...], duration_s: float, max_s: float) -> tuple[Span, ...]:
    """Return windows of source time that cover everything, each at most `max_s` long.

    A border lies in the middle of the longest pause of the window's second half; where nobody
    pauses, at the window's end.

    Args:
        voice: where somebody speaks, in order.
        duration_s: length of the sound.
        max_s: longest window.
    """
    pauses = complement(voice, Span(0.0, duration_s))
    out: list[Span] = []
    start_s = 0.0
    while duration_s - start_s > max_s:
        low_s, high_s = start_s + max_s / 2, start_s + max_s
        inside = [
            Span(max(pause.start_s, low_s), min(pause.end_s, high_s))
            for pause in pauses
            if pause.start_s < high_s and pause.end_s > low_s
        ]
        longest = max(inside, key=lambda pause: pause.duration_s, default=Span(high_s, high_s))
        end_s = (longest.start_s + longest.end_s) / 2
        out.append(Span(start_s, end_s))
        start_s = end_s
    out.append(Span(start_s, duration_s))
    return tuple(out)
