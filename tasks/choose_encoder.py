"""Which encoder a film gets: the one asked for where it works, else what stands in for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from tasks.errors import EncoderFailed
from tasks.media.encoders import CLIP, FRAMES, HEIGHT_PX, WIDTH_PX, proof, reason
from tasks.media.hardware import hardware
from tasks.render.chunks import Chunk
from tasks.render.encoders import SPECS, Unproven, check_container, chosen, fall_back_text
from tasks.render.graph import chunk_arguments
from tasks.render.plan import RenderPlan, encoding_for, encoding_with
from tasks.render.report import StepRecord
from tasks.run import Run
from tasks.settings import Encoder, RenderSettings
from tasks.timeline.model import Canvas, Clip, ColorTags

BT709 = ColorTags("tv", "bt709", "bt709", "bt709")


def unproven(encoder: Encoder) -> str:
    """Return why an encoder does not work on this machine; empty where it does.

    It is tried once a process, with the options of a chunk in good quality.
    """
    rate = Fraction(30)
    canvas = Canvas(WIDTH_PX, HEIGHT_PX, rate, BT709)
    encoding = encoding_for(RenderSettings(encoder=encoder), rate)
    chunk = Chunk(0, (Clip(0, 0, FRAMES),), None, None)
    return proof(tuple(chunk_arguments(chunk, canvas, BT709, encoding, CLIP)))


def proven(encoder: Encoder) -> bool:
    """Return whether an encoder really encodes on this machine."""
    return not unproven(encoder)


def proven_encoders() -> list[Encoder]:
    """Return the encoders that work on this machine; each is tried."""
    return [encoder for encoder in Encoder if encoder in SPECS and proven(encoder)]


def unproven_among(cards: Mapping[str, Mapping[str, Any]]) -> Unproven:
    """Return what says why an encoder does not work on a pool: one worker without it is enough.

    A worker whose hardware is not this machine's is without hardware encoders: what it encodes
    has other keys, so it would refuse every chunk.

    Args:
        cards: what each worker says of itself, by name.
    """

    def why_not(encoder: Encoder) -> str:
        without = sorted(name for name, card in cards.items() if encoder not in card["encoders"])
        if without or SPECS[encoder].is_software:
            return f"not proven on {', '.join(without)}" if without else ""
        own = hardware()
        others = sorted(name for name, card in cards.items() if card.get("hardware") != own)
        return f"other hardware than this machine's on {', '.join(others)}" if others else ""

    return why_not


def encoder_for(run: Run, asked: Encoder, why_not: Unproven = unproven) -> Encoder:
    """Return the encoder of a film; one that stands in for another is told of.

    Args:
        run: the run.
        asked: what the settings or a plan name.
        why_not: says of each encoder why it does not work where the film is rendered.
    """
    choice = chosen(asked, why_not)
    for text in choice.warnings:
        _told(run, text)
    return choice.encoder


def settled(run: Run, plan: RenderPlan, output: Path, why_not: Unproven = unproven) -> RenderPlan:
    """Return a plan with an encoder that works here: a plan may have been made elsewhere.

    Raises:
        BadSettings: what it encodes does not go into the film's container.
    """
    check_container(plan.encoding.encoder, output.suffix)
    encoder = encoder_for(run, Encoder(plan.encoding.encoder), why_not)
    return replace(plan, encoding=encoding_with(plan.encoding, encoder))


def fallen_back(
    run: Run, plan: RenderPlan, output: Path, error: EncoderFailed, why_not: Unproven = unproven
) -> RenderPlan:
    """Return a plan with what stands in for a hardware encoder that failed in the middle.

    The whole film goes there, for chunks of different encoders do not join.

    Raises:
        EncoderFailed: nothing stands in for it.
    """
    failed = Encoder(plan.encoding.encoder)
    other = SPECS[failed].stand_in
    if other is None:
        raise error
    run.restart_frames()
    _told(run, fall_back_text(failed, other, run.given_up(failed) or reason(error)))
    moved = replace(plan, encoding=encoding_with(plan.encoding, other))
    return settled(run, moved, output, why_not)


def _told(run: Run, text: str) -> None:
    """Warn, and record that the film is not what was asked for: the next run tries again."""
    run.warn(text)
    run.record(StepRecord("encoder", "degraded", 0.0))
