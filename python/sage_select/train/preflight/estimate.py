"""What a run takes of memory and time, from the shape of the model alone: no weight is loaded."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from sage_select.render.model_files import load_config
from sage_select.train.config import TrainConfig
from sage_select.train.kinds import KINDS
from sage_select.train.settings.model import Precision

__all__ = ["Estimate", "estimate"]

_BYTES: Final[dict[Precision, int]] = {"fp32": 4, "bf16": 2, "fp16": 2}
#: Bytes of a weight held in 4 bits with the constants of its block, quantised twice (QLoRA, 2305.14314, section 3).
_NF4: Final = 0.5 + 0.127 / 8
#: Values that a layer of a transformer keeps for the backward pass, for each of its hidden ones, where the products of
#: queries and keys are not among them (Korthikanti et al. 2022, 2205.05198, equation 2).
_KEPT: Final = 17
#: A gradient, two moments of Adam and the weight itself, in float32.
_TRAINED: Final = 16
_MEASURED_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Estimate:
    """The price of a run.

    Attributes
    ----------
    parameters, trained_parameters
        Weights of the model, and those that are trained.
    weight_bytes, trained_bytes, activation_bytes, memory_bytes
        The frozen weights; what is trained with its gradients and the moments of AdamW; what the longest forward pass
        keeps for its backward pass; and all together, without what the libraries themselves take.
    seconds_at_least
        The matrix products alone, at the speed of those of this machine; small models take several times that.
    """

    parameters: int
    trained_parameters: int
    weight_bytes: int
    trained_bytes: int
    activation_bytes: int
    memory_bytes: int
    seconds_at_least: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def estimate(config: TrainConfig, precision: Precision, *, tokens: int, longest: int, measured: int = 0) -> Estimate:
    """Return what a run takes.

    Parameters
    ----------
    tokens
        Of all its steps, padding included.
    longest
        Of one forward pass, padding included.
    measured
        Of what passes forward alone, at least.

    Notes
    -----
    Cost: the model is built without memory for its weights, a second or two; 0.2 s of matrix products.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from sage_select.train.adapter import count_parameters, shape_of_trained

    described = load_config(config.model)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(described)
        linear = sum(one.weight.numel() for one in model.modules() if isinstance(one, torch.nn.Linear))
        counts = count_parameters(shape_of_trained(model, config))
    trained, whole = counts["trained"], KINDS[config.adapter].lora is None
    frozen = 0 if whole else counts["total"] - trained
    text = described.get_text_config()
    layers, hidden = int(text.num_hidden_layers), int(text.hidden_size)
    width = _BYTES[precision]
    held = _NF4 if config.load_in_4bit else 1.0 if config.load_in_8bit else float(width)
    weights = 0 if whole else int(linear * held + (frozen - linear) * width)
    layer = _KEPT * hidden * width * longest
    kept = layer + layers * hidden * width * longest if config.gradient_checkpointing else layers * layer
    # Forward, backward through the activations, and what is computed again; of a whole model its own gradients too.
    passes = 2 + config.gradient_checkpointing + whole
    products = 2 * (trained if whole else frozen) * (passes * tokens + measured)
    return Estimate(
        parameters=counts["total"],
        trained_parameters=trained,
        weight_bytes=weights,
        trained_bytes=_TRAINED * trained,
        activation_bytes=kept,
        memory_bytes=weights + _TRAINED * trained + kept,
        seconds_at_least=products / _products_a_second(hidden, precision),
    )


def _products_a_second(hidden: int, precision: Precision) -> float:
    """Return how many operations matrix products of the size of the model's layers do here in a second."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    rows = 1024
    left, right = (torch.ones(shape, dtype=kind, device=device) for shape in ((rows, hidden), (hidden, 4 * hidden)))
    done, begun = 0, time.perf_counter()
    while not done or time.perf_counter() - begun < _MEASURED_SECONDS:
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        done += 1
    return done * 2 * rows * hidden * 4 * hidden / (time.perf_counter() - begun)
