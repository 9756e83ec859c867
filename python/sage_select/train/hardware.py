"""What this machine can train with: the packages, the device, and the precision that follows from it."""

from __future__ import annotations

from importlib.util import find_spec

from sage_select.errors import ResourceError, UsageError
from sage_select.train.config import TrainConfig
from sage_select.train.optimizers import OPTIMIZERS, refuse_here
from sage_select.train.settings.model import Precision

__all__ = ["device_here", "precision_here", "require_training_packages", "resolve_precision"]

_PACKAGES = ("accelerate", "datasets", "peft", "tensorboard", "torch", "transformers", "trl")


def require_training_packages() -> None:
    """Raise ResourceError naming the packages that training needs and that are not installed."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ResourceError(
            f"training needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'sage-select[train]'",
        )


def resolve_precision(config: TrainConfig, *, has_gpu: bool, gpu_has_bf16: bool) -> Precision:
    """Return the precision to train in.

    Raises
    ------
    UsageError
        If fp16 is asked for on a CPU, where it would silently be fp32, or bf16 on a GPU without it.

    Examples
    --------
    >>> resolve_precision(TrainConfig(model="m"), has_gpu=False, gpu_has_bf16=False)
    'fp32'
    """
    if config.precision == "fp16" and not has_gpu:
        raise UsageError("fp16 needs a GPU, and there is none here", hint="use --fp32, or --bf16 to save memory")
    if config.precision == "bf16" and has_gpu and not gpu_has_bf16:
        raise UsageError("this GPU has no bf16", hint="use --fp16 or --fp32")
    if config.precision is not None:
        return config.precision
    if not has_gpu:
        return "fp32"
    return "bf16" if gpu_has_bf16 else "fp16"


def device_here() -> str:
    """Return where the weights of a model will be: `cuda` or `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def precision_here(config: TrainConfig) -> Precision:
    """Return the precision to train in on this machine.

    It raises what `resolve_precision` does, and where the optimizer cannot be used here.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    refuse_here(OPTIMIZERS[config.optimizer], has_gpu=has_gpu)
    return resolve_precision(config, has_gpu=has_gpu, gpu_has_bf16=has_gpu and torch.cuda.is_bf16_supported())
