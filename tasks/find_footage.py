"""The footage of a plan, found by its content wherever it lies now."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.engine import step
from tasks.errors import BadInput
from tasks.media.files import check_no_footage
from tasks.render.plan import RenderPlan
from tasks.run import Held, Run
from tasks.timeline.model import Source


def _below(root: Path) -> Iterator[Path]:
    """Yield what may be a file: the path itself, and what lies below it where it is a folder."""
    yield root
    # It passes over what this user may not look into.
    yield from sorted(Path(top, name) for top, _, names in os.walk(root) for name in names)


def _size_bytes(path: Path) -> int | None:
    """Return the size of a file; none where there is none, or it may not be looked at."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # the latter: no system would take it for a path
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def search(
    run: Run, sources: Sequence[Source], roots: Sequence[Path], files: Sequence[Path] = ()
) -> list[Source]:
    """Fill in where each source lies; return those that are in none of the places.

    Args:
        run: the run.
        sources: what is looked for.
        roots: files, and folders to search.
        files: files alone: a folder among them is not searched.
    """
    missing = {source.digest: source for source in sources}
    names = {source.name for source in sources}
    sizes = {source.size_bytes for source in sources}
    places = [*run.store.known_paths(missing), *files]
    places += [path for root in roots for path in _below(root)]
    found = [path for path in places if _size_bytes(path) in sizes]
    for path in sorted(found, key=lambda path: path.name not in names):
        if not missing:
            break
        try:
            digest = run.store.digest_of(path)
        except BadInput:  # it cannot be read: it may lie elsewhere, too
            continue
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
