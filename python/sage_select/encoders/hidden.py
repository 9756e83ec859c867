"""Vectors from the hidden states of a causal language model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from sage_select.declare.option import Option
from sage_select.encode.examples import VectorRule
from sage_select.encoders.encoder import encoder
from sage_select.encoders.language_model import LanguageModelEncoder
from sage_select.encoders.model import configured
from sage_select.pipeline.cost import Size
from sage_select.render.extras import require
from sage_select.render.model_files import is_local

__all__ = ["Hidden"]

#: Under which keys configurations give the width of hidden states.
_WIDTHS: Final = tuple(("config.json", key) for key in ("hidden_size", "n_embd", "d_model"))


@encoder("hidden", place=50, implied_by="embed_lm", held=True)
class Hidden(LanguageModelEncoder):
    """The pooled hidden states of a causal language model (RDS+); needs the train extra."""

    takes: ClassVar[frozenset[str]] = frozenset({"texts", "rows"})

    embed_pooling: Annotated[
        Literal["weighted", "mean"],
        Option("weighted: the i-th token of a row counts i times (RDS+); mean: all alike"),
    ] = "weighted"
    embed_layer: Annotated[
        int,
        Option("whose states: 0 the token embeddings, 1 behind the first block, -1 behind the last, which is usual"),
    ] = -1

    @property
    def rule(self) -> VectorRule:
        """The pooling."""
        require("torch", "train")
        from sage_select.encode.hidden_states import HiddenStates

        return HiddenStates(self.embed_pooling, self.embed_layer)

    @property
    def vectors_are(self) -> str:
        """What plans call the vectors."""
        what = "position-weighted mean" if self.embed_pooling == "weighted" else "mean"
        return f"{what} of the hidden states{'' if self.embed_layer == -1 else f' of layer {self.embed_layer}'}"

    def width(self, size: Size) -> int:
        """Return the width that the configuration gives; 0 where it gives none, or is no folder here."""
        del size
        model = str(self.embed_lm)
        return configured(model, _WIDTHS) if is_local(model) else 0
