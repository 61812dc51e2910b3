"""The footage of a plan, found by its content wherever it lies now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.engine import step
from tasks.errors import BadInput
from tasks.media.files import check_no_footage
from tasks.render.plan import RenderPlan
from tasks.run import Held, Run
from tasks.timeline.model import Source


def _candidates(roots: Sequence[Path], names: set[str], sizes: set[int]) -> Iterator[Path]:
    """Yield files of the right size, those of the right name first."""
    found = [
        path
        for root in roots
        for path in ([root] if root.is_file() else sorted(root.rglob("*")))
        if path.is_file() and path.stat().st_size in sizes
    ]
    yield from sorted(found, key=lambda path: path.name not in names)


def search(run: Run, sources: Sequence[Source], roots: Sequence[Path]) -> list[Source]:
    """Fill in where each source lies; return those that are in none of the places."""
    missing = {source.digest: source for source in sources}
    names = {source.name for source in sources}
    sizes = {source.size_bytes for source in sources}
    for path in _candidates([*run.store.known_paths(missing), *roots], names, sizes):
        if not missing:
            break
        digest = run.store.digest_of(path)
        if missing.pop(digest, None) is not None:
            run.footage[digest] = path
    return list(missing.values())


def locate(run: Run, plan: RenderPlan, roots: Sequence[Path]) -> None:
    """Fill in where each source and asset of a plan lies.

    Raises:
        BadInput: one is in none of the places.
    """
    missing = search(run, (*plan.sources, *plan.assets), roots)
    if missing:
        lost = ", ".join(source.name for source in missing)
        raise BadInput(
            f"the footage of this plan was not found: {lost}",
            "say where it lies with --footage FILE_OR_FOLDER",
        )


@step("footage")
def find_footage(
    run: Run, held_plan: Held[RenderPlan], roots: Sequence[Path], output: Path
) -> None:
    """Find the footage of a plan, where it was or in the places named; the film must not be it."""
    locate(run, held_plan.value, roots)
    check_no_footage(output, run.footage.values())
