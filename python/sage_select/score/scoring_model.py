"""The model that scores: which, with which adapter, in which precision and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from sage_select.errors import ResourceError, UsageError
from sage_select.render.adapter_files import adapter_digest, adapter_folder, read_adapter
from sage_select.render.extras import release_series, require
from sage_select.render.model_files import load_causal_lm, model_content, model_revision, require_vocabulary
from sage_select.render.quantised import one_arithmetic, quantised
from sage_select.render.quiet import quiet_libraries

__all__ = ["Precision", "ScoringModel", "default_device", "default_dtype"]

_EXTRA: Final = "train"
#: In which precision a model is held, as options call it.
Precision = Literal["fp32", "bf16", "fp16", "8bit", "4bit"]
_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_BITS: Final[Mapping[str, Literal[4, 8]]] = {"4bit": 4, "8bit": 8}


@dataclass(frozen=True)
class ScoringModel:
    """A causal language model as it scores.

    Parameters
    ----------
    name
        A folder or a repository.
    adapter
        The folder of a LoRA adapter of it, or of a run of `sage-train` that trained one.
    precision
        By default float32 on a CPU, and bfloat16 on a GPU that has it. 4 and 8 bits are those of bitsandbytes.
    device
        A torch device; by default `cuda` where there is one, else `cpu`.
    """

    name: str
    adapter: str | None = None
    precision: Precision | None = None
    device: str | None = None

    @cached_property
    def place(self) -> str:
        """The device.

        Raises
        ------
        UsageError
            There is no device of this name.
        ResourceError
            It is a GPU and there is none, or the extra is missing.
        """
        torch = require("torch", _EXTRA)
        if self.device is None:
            return default_device()
        try:
            asked = torch.device(self.device)
        except RuntimeError:
            raise UsageError(f"there is no device {self.device!r}", expected="cpu, cuda or cuda:N") from None
        if asked.type == "cuda" and (asked.index or 0) >= torch.cuda.device_count():
            there = torch.cuda.device_count()
            raise ResourceError(
                f"the device {self.device!r} is not there",
                got=f"{there} GPUs" if there else "no GPU that torch can use",
                hint="leave it out, or name cpu",
            )
        return self.device

    @cached_property
    def dtype(self) -> str:
        """What it computes in, as torch calls it.

        Raises
        ------
        UsageError
            The device has no such precision.
        """
        usual = default_dtype(self.place)
        if self.precision == "fp16" and self.place == "cpu":
            raise UsageError("fp16 needs a GPU", hint="use fp32, or bf16 to save memory")
        if self.precision == "bf16" and self.place.startswith("cuda") and usual != "bfloat16":
            raise UsageError("this GPU has no bf16", hint="use fp16 or fp32")
        return _DTYPES.get(self.precision or "", usual)

    @property
    def held(self) -> str:
        """In what its weights are held: a number of bits, or a type of torch."""
        return self.precision if self.precision in _BITS and self.precision else self.dtype

    @cached_property
    def adapter_digest(self) -> str | None:
        """What pins the adapter.

        Raises
        ------
        UsageError
            There is none, or it is no LoRA.
        DataError
            It is damaged.
        """
        if self.adapter is None:
            return None
        folder = adapter_folder(self.adapter)
        read_adapter(folder)
        return adapter_digest(folder)

    @property
    def revision(self) -> str:
        """What pins the model without its adapter."""
        return model_revision(self.name)

    def identity(self) -> dict[str, Any] | None:
        """Return all that what it says depends on; None where its content is not known. Nothing is loaded."""
        content = model_content(self.name)
        if content is None:
            return None
        return {
            "label": self.name,
            "model": content,
            "adapter": self.adapter_digest,
            "dtype": self.dtype,
            "bits": _BITS.get(self.precision or ""),
            "device": self.place.partition(":")[0],
            "libraries": release_series(
                "torch",
                "transformers",
                *(["peft"] if self.adapter is not None else []),
                *(["bitsandbytes"] if self.precision in _BITS else []),
            ),
        }

    def load(self, tokenizer: Any) -> Any:
        """Return the model in evaluation mode, on its device.

        Raises
        ------
        UsageError
            It is no causal language model, or the tokenizer is that of another one.
        DataError
            Its files are damaged, or the adapter is that of another model.
        ResourceError
            It does not fit into memory, or a package is missing.
        """
        torch = require("torch", _EXTRA)
        try:
            with quiet_libraries():
                return self._loaded(tokenizer)
        except torch.OutOfMemoryError:
            raise ResourceError(f"the model does not fit into the memory of {self.place}", where=self.name) from None

    def _loaded(self, tokenizer: Any) -> Any:
        bits = _BITS.get(self.precision or "")
        options: dict[str, Any] = {"device_map": {"": self.place}} if bits else {}
        given = self.adapter_digest  # refused before a model is loaded
        model = load_causal_lm(self.name, self.dtype, None if bits is None else quantised(bits, self.dtype), **options)
        one_arithmetic(model)
        require_vocabulary(model, tokenizer, self.name)
        if given is not None and self.adapter is not None:
            require("peft", _EXTRA)
            from sage_select.render.adapted import load_adapter

            # The model itself, in which the adapter now is.
            model = load_adapter(model, adapter_folder(self.adapter)).get_base_model().eval()
        return model if bits else model.to(self.place)


def default_device() -> str:
    """Return the torch device to use where none is named.

    Raises
    ------
    ResourceError
        The extra is missing.
    """
    return "cuda" if require("torch", _EXTRA).cuda.is_available() else "cpu"


def default_dtype(device: str) -> str:
    """Return the type of torch in which models run on a device that is there, where none is named."""
    cuda = require("torch", _EXTRA).cuda
    return "bfloat16" if device.startswith("cuda") and cuda.is_bf16_supported() else "float32"
