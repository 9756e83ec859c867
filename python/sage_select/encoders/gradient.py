"""Vectors from the gradients of rows under a causal language model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from sage_select.declare.option import Option
from sage_select.encode.examples import VectorRule
from sage_select.encoders.encoder import encoder
from sage_select.encoders.language_model import LanguageModelEncoder
from sage_select.pipeline.cost import Size
from sage_select.render.extras import require

__all__ = ["Gradient"]


@encoder("gradient", place=60, held=True)
class Gradient(LanguageModelEncoder):
    """The projected gradient of a row under a causal language model (LESS); needs the train extra."""

    takes: ClassVar[frozenset[str]] = frozenset({"rows"})

    gradient_of: Annotated[
        Literal["last_layer", "lora"],
        Option(
            "by which weights: last_layer, those of the output layer, by a forward pass alone; or lora, those of the "
            "adapter, or where there is none of a new LoRA of rank 8 on all linear layers, by a backward pass, too"
        ),
    ] = "last_layer"
    gradient_dim: Annotated[int, Option("to how many numbers it is projected", ge=8, le=65_536)] = 1024

    @property
    def batch_share(self) -> float:
        """A backward pass keeps what a forward pass forgets."""
        return 1.0 if self.gradient_of == "last_layer" else 0.25

    @property
    def rule(self) -> VectorRule:
        """The gradient."""
        require("torch", "train")
        from sage_select.encode.gradients import LastLayerGradients, LoraGradients

        return (LastLayerGradients if self.gradient_of == "last_layer" else LoraGradients)(self.gradient_dim)

    @property
    def vectors_are(self) -> str:
        """What plans call the vectors."""
        whose = "the output layer" if self.gradient_of == "last_layer" else "a LoRA"
        return f"gradients by {whose}, projected to {self.gradient_dim} numbers,"

    def width(self, size: Size) -> int:
        """Return the width."""
        del size
        return self.gradient_dim
