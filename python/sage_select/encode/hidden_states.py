"""Vectors of rows from the hidden states of a causal language model.

The mean of a layer's states over the tokens of a row; or their position-weighted mean, in which the i-th token counts
i times, as the states of later tokens have seen more of the text (SGPT, Muennighoff 2022, arXiv 2202.08904). Over whole
rendered rows the latter is what RDS+ compares (Ivison et al. 2025, arXiv 2503.01807).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.render.tokens import Encoded
from sage_select.score.forward import padded, run_held_back

__all__ = ["HiddenStates", "Pooling"]

Pooling = Literal["weighted", "mean"]


@dataclass(frozen=True)
class HiddenStates:
    """A rule for `embed_examples`.

    Parameters
    ----------
    pooling
        `mean`: (1/n) sum_i h_i. `weighted`: sum_i i h_i / sum_i i, with i from 1 to the number n of tokens.
    layer
        Which states: 0 those of the token embeddings, k those behind the k-th block, negative numbers count from the
        last, -1, which is what the output layer sees.
    """

    pooling: Pooling = "weighted"
    layer: int = -1
    trained_only: bool = False

    def identity(self) -> Mapping[str, Any]:
        """Return the pooling and the layer."""
        return {"rule": "hidden states", "pooling": self.pooling, "layer": self.layer}

    def width(self, network: Any) -> int:
        """Return the width of the states; that of what the output layer sees may be another than that of the others."""
        config, head = network.config.get_text_config(), network.get_output_embeddings()
        is_last = self.layer in (-1, config.num_hidden_layers) and head is not None
        return int(getattr(head, "in_features", config.hidden_size) if is_last else config.hidden_size)

    def of(self, network: Any) -> Callable[[Sequence[Encoded]], NDArray[np.float32]]:
        """Return what gives the vectors of a batch.

        Raises
        ------
        UsageError
            There is no such layer.
        """
        layers = int(network.config.get_text_config().num_hidden_layers)
        if not -layers - 1 <= self.layer <= layers:
            raise UsageError(
                f"the model has no layer {self.layer}",
                expected=f"0 (token embeddings) to {layers}, or -1 (the last) to {-layers - 1}",
            )
        last = self.layer in (-1, layers)

        @torch.inference_mode()
        def vectors(rows: Sequence[Encoded]) -> NDArray[np.float32]:
            batch = padded(rows, network.device)
            states = _last_states(network, batch.ids, batch.mask) if last else None
            if states is None:
                states = network(
                    input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, output_hidden_states=True
                ).hidden_states[self.layer]
            weights = batch.mask.float()
            if self.pooling == "weighted":
                weights = weights * torch.arange(1, weights.shape[1] + 1, device=weights.device)
            weights = weights / weights.sum(1, keepdim=True)
            # Padding may hold anything, and nothing times not-a-number is not nothing.
            states = states.float().masked_fill(batch.mask[..., None] == 0, 0)
            return torch.einsum("rt,rth->rh", weights, states).cpu().numpy()

        return vectors


def _last_states(network: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    """Return what the output layer sees, which makes no logits but those of the first token; None if it has none."""
    _, states = run_held_back(network, ids, mask, lambda states: states[:, :1])
    return states
