"""What can be trained of a model, and how an adapter begins: one entry each, with what it does not go together with.

Nothing heavy is loaded here: settings are checked by these tables before torch is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sage_select.errors import UsageError
from sage_select.render.adapter_files import ADAPTER_FOLDER, MODEL_FOLDER
from sage_select.train.named import Barred, Table

if TYPE_CHECKING:
    from sage_select.train.config import TrainConfig
    from sage_select.train.data import TrainingRows

__all__ = ["BITS", "INITIALISATIONS", "KINDS", "Initialisation", "Kind", "initialisation", "refuse_unusable", "why_not"]

#: Settings that hold the base model in fewer bits -> what messages call that.
BITS: Final[Mapping[str, str]] = {"load_in_4bit": "4 bits", "load_in_8bit": "8 bits"}
_ROUNDED: Final = "it takes a part of the base weights over, which rounding to so few bits would change again"
_RANDOMISED: Final = "pissa_niter_N"
_WHOLE: Final = "leave out --load-in-4bit and --load-in-8bit, or begin with eva, or loftq in 4 bits"
_IN_FLOATS: Final = "its first weights would be stored in the integers of the base weights"


@dataclass(frozen=True)
class Initialisation:
    """How the first weights of an adapter are chosen.

    Attributes
    ----------
    name, summary
        What settings call it, and what it is.
    lora
        The settings of PEFT's `LoraConfig` by which it is chosen.
    barred
        Setting, or `dora` -> why it does not go together with that, and what to do instead.
    alters_base
        Whether it takes a part of the base weights over: the trained adapter is converted into one for the weights
        as they are in the model's files.
    needs
        A setting that must be given, and why.
    stacked
        Whether the stacked weights of experts can begin so.
    turned
        Whether layers that hold their weights the other way round can begin so, as those of GPT-2's kind do.
    widths
        The least width, in ranks, of a layer that can begin so.
    random_on_device
        Whether its random numbers differ from device to device, though the weights of the base depend on them.
    """

    name: str
    summary: str
    lora: Mapping[str, Any]
    barred: Mapping[str, Barred] = field(default_factory=dict)
    alters_base: bool = False
    needs: tuple[str, str] | None = None
    stacked: bool = False
    turned: bool = True
    widths: int = 0
    random_on_device: bool = False

    def begin(self, model: Any, config: TrainConfig, rows: TrainingRows) -> list[str]:  # noqa: ARG002
        """Choose the first weights of an adapter that PEFT has made; return what the user should know of it."""
        return []


class _Eva(Initialisation):
    def begin(self, model: Any, config: TrainConfig, rows: TrainingRows) -> list[str]:
        from sage_select.train.first_weights import begin_with_eva

        return begin_with_eva(model, config, rows)


class _LoftQ(Initialisation):
    def begin(self, model: Any, config: TrainConfig, rows: TrainingRows) -> list[str]:  # noqa: ARG002
        from sage_select.train.first_weights import begin_with_loftq

        return begin_with_loftq(model, config)


_OF_WHOLE_WEIGHTS: Final[dict[str, Any]] = {
    "alters_base": True,
    "widths": 1,
    "barred": {
        **dict.fromkeys(BITS, (_ROUNDED, _WHOLE)),
        "dora": (
            "the magnitudes of DoRA are lost where the adapter is converted for the base weights as they were",
            "use --adapter lora, or begin with eva",
        ),
    },
}

INITIALISATIONS: Final = Table(
    "first weights",
    (
        Initialisation("default", "A uniform, B zero: the model begins as it is", {}, stacked=True),
        Initialisation(
            "gaussian", "A normal with deviation 1/r, B zero", {"init_lora_weights": "gaussian"}, stacked=True
        ),
        Initialisation(
            "orthogonal",
            "A and B from the halves of an orthogonal matrix, so that their product is zero; even ranks only",
            {"init_lora_weights": "orthogonal"},
            barred=dict.fromkeys(BITS, (_IN_FLOATS, "begin with default or gaussian")),
        ),
        Initialisation(
            "pissa",
            "The largest singular values of each weight, with their vectors (PiSSA, arXiv 2404.02948)",
            {"init_lora_weights": "pissa"},
            **_OF_WHOLE_WEIGHTS,
        ),
        Initialisation(
            _RANDOMISED,
            "The same by a random decomposition of N iterations, as in pissa_niter_16: seconds, not minutes",
            {},
            random_on_device=True,
            **_OF_WHOLE_WEIGHTS,
        ),
        Initialisation(
            "olora",
            "The first columns of the QR decomposition of each weight (OLoRA, arXiv 2406.01775)",
            {"init_lora_weights": "olora"},
            turned=False,
            **_OF_WHOLE_WEIGHTS,
        ),
        _Eva(
            "eva",
            "The main directions of what each layer reads on the rows, and ranks by them (EVA, arXiv 2410.07170)",
            {"init_lora_weights": "eva"},
            widths=4,
        ),
        _LoftQ(
            "loftq",
            "What rounding to 4 bits takes from each weight, as far as the rank goes (LoftQ, arXiv 2310.08659)",
            {},
            needs=("load_in_4bit", "it makes up for what rounding to 4 bits loses"),
            barred={"dora": ("magnitudes would be those of rounded weights", "use --adapter lora")},
            widths=1,
        ),
    ),
)


def initialisation(name: str) -> Initialisation:
    """Return the entry that a setting names; the number of iterations stands in the name.

    Raises
    ------
    UsageError
        If there is none.

    Examples
    --------
    >>> initialisation("pissa_niter_16").lora
    {'init_lora_weights': 'pissa_niter_16'}
    """
    if re.fullmatch(r"pissa_niter_[1-9]\d*", name):
        return replace(INITIALISATIONS[_RANDOMISED], name=name, lora={"init_lora_weights": name})
    if name == _RANDOMISED:
        raise UsageError("the number of iterations is missing", expected="such as pissa_niter_16", got=name)
    return INITIALISATIONS.need(name)


@dataclass(frozen=True)
class Kind:
    """What is trained of a model.

    Attributes
    ----------
    name, summary
        What settings call it, and what it is.
    learning_rate
        The peak rate where none is given.
    folder
        Where the trained weights lie in the output folder.
    lora
        The settings of PEFT's `LoraConfig` by which it is chosen; None where the model itself is trained.
    barred
        Setting -> why it does not go together with that, and what to do instead.
    """

    name: str
    summary: str
    learning_rate: float
    folder: str
    lora: Mapping[str, Any] | None
    barred: Mapping[str, Barred] = field(default_factory=dict)

    #: Settings that only adapters have.
    OF_ADAPTERS: ClassVar[tuple[str, ...]] = (
        "lora_r",
        "lora_alpha",
        "lora_dropout",
        "lora_target",
        "use_rslora",
        "init_lora_weights",
        "loraplus_ratio",
        "from_adapter",
    )

    @property
    def settings_file(self) -> str:
        """The file beside the weights that says what they are of."""
        return "config.json" if self.lora is None else "adapter_config.json"


KINDS: Final = Table(
    "adapter",
    (
        Kind("lora", "A product of two thin matrices beside each layer (arXiv 2106.09685)", 2e-4, ADAPTER_FOLDER, {}),
        Kind(
            "dora",
            "The same, and the length of each row of a weight apart from its direction (DoRA, arXiv 2402.09353)",
            2e-4,
            ADAPTER_FOLDER,
            {"use_dora": True},
            {
                "load_in_8bit": (
                    "8-bit layers drop the scales of their weights after the first step, which DoRA reads in each",
                    "use --load-in-4bit, or --adapter lora",
                )
            },
        ),
        Kind(
            "full",
            "No adapter: all weights of the model itself are trained, in float32",
            2e-5,
            MODEL_FOLDER,
            None,
            {
                **dict.fromkeys(BITS, ("weights that are trained cannot be held in so few bits", "leave it out")),
                **dict.fromkeys(Kind.OF_ADAPTERS, ("there is no adapter that it could be of", "leave it out")),
            },
        ),
    ),
)


def why_not(kind: Kind, first: Initialisation, given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield what does not go together and why, each with what to do instead.

    Parameters
    ----------
    kind, first
        What is trained, and how it begins.
    given
        Settings that are not what they are by default.
    """
    named = {*given}
    for setting in sorted(named & kind.barred.keys()):
        why, instead = kind.barred[setting]
        yield f"--adapter {kind.name} does not go with {_spelt(setting)}: {why}", instead
    start = f"--init-lora-weights {first.name}"
    for other in sorted(first.barred.keys() & {*named, kind.name}):
        why, instead = first.barred[other]
        yield (
            f"{start} does not go with {f'--adapter {other}' if other == kind.name else _spelt(other)}: {why}",
            instead,
        )
    if first.needs is not None and first.needs[0] not in named:
        setting, why = first.needs
        yield f"{start} needs {_spelt(setting)}: {why}", f"give {_spelt(setting)} too"


def refuse_unusable(config: TrainConfig) -> None:
    """Raise UsageError where what is trained, how it begins and how the model is held do not go together."""
    kind, first = KINDS.need(config.adapter), initialisation(config.init_lora_weights)
    changed = [name for name, info in type(config).model_fields.items() if getattr(config, name) != info.default]
    for message, instead in why_not(kind, first, changed):
        raise UsageError(message, hint=instead)
    if first.name == "orthogonal" and config.lora_r % 2:
        raise UsageError(
            "--init-lora-weights orthogonal needs an even rank",
            got=f"--lora-r {config.lora_r}",
            hint=f"--lora-r {config.lora_r + 1}",
        )
    if config.from_adapter is not None and first.name != "default":
        raise UsageError(
            "an adapter that is gone on from has its weights: nothing begins them",
            got=f"--from-adapter and --init-lora-weights {first.name}",
            hint="leave out one of the two",
        )


def _spelt(setting: str) -> str:
    return f"--{setting.replace('_', '-')}"
