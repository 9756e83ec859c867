"""None: no row is added."""

from __future__ import annotations

from collections.abc import Sequence

from sage_select.augmenters.augmenter import Augmenter, Draft, augmenter
from sage_select.pipeline.run import Run

__all__ = ["Nothing"]


@augmenter("none", place=90)
class Nothing(Augmenter):
    """No rows are added."""

    def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
        """Return the texts as they are: the stage that holds this is idle."""
        del run
        return [draft.texts for draft in drafts]
