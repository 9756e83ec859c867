"""The select stage: the strategy's picks."""

from __future__ import annotations

from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.ops import Select
from sage_select.strategies import Picks, Pool, pick

__all__ = ["select_rows"]


def select_rows(frame: Frame, select: Select, seed: int, talk: Talk, threads: int | None) -> Picks:
    """Return the picks of the strategy among the frame's rows."""
    if select.start is not None:
        # Users count the rows of the input.
        select = select.model_copy(update={"start": frame.number(select.start, "start")})
    with talk.progress("selecting") as progress:
        pool = Pool(
            n=frame.n,
            seed=seed,
            hashes=frame.hashes,
            difficulty=None if frame.scores is None else frame.scores.difficulty,
            matrix=frame.matrix,
            threads=threads,
            progress=progress,
        )
        return pick(pool, select)
