"""What a training run may be told, with every value checked before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from pydantic import ValidationError

from sage_select.declare import Settings
from sage_select.declare.option import option_of
from sage_select.declare.problems import named_problems
from sage_select.errors import UsageError, nearest
from sage_select.paths import user_path
from sage_select.render.model_files import is_local
from sage_select.train.curricula import refuse_beside
from sage_select.train.kinds import KINDS, refuse_unusable
from sage_select.train.optimizers import OPTIMIZERS
from sage_select.train.presets import PRESETS
from sage_select.train.settings.adapter import AdapterSettings
from sage_select.train.settings.curriculum import CurriculumSettings
from sage_select.train.settings.declared import Setting
from sage_select.train.settings.evaluation import EvaluationSettings
from sage_select.train.settings.method import MethodSettings
from sage_select.train.settings.model import ModelSettings
from sage_select.train.settings.optimisation import OptimisationSettings
from sage_select.train.settings.replay import ReplaySettings, refuse_beside_replay
from sage_select.train.settings.rows import RowSettings
from sage_select.train.settings.running import RunningSettings
from sage_select.values.location import Reads, Writes

__all__ = ["TrainConfig"]


class TrainConfig(
    ModelSettings,
    MethodSettings,
    AdapterSettings,
    OptimisationSettings,
    CurriculumSettings,
    ReplaySettings,
    RowSettings,
    EvaluationSettings,
    RunningSettings,
):
    """The settings of one fine-tuning run.

    Raises
    ------
    UsageError
        If a value is out of range, an option is unknown, or two options contradict each other. All faults are
        named at once.

    Examples
    --------
    >>> TrainConfig(model="m", max_steps=20).lora_alpha
    128
    >>> TrainConfig(model="m", lora_r=-1)
    Traceback (most recent call last):
        ...
    sage_select.errors.UsageError: bad training settings
      got: lora_r: expected at least 1, got -1
    """

    name: ClassVar[str] = "training"

    def __init__(self, **settings: Any) -> None:
        self._set(settings, {})

    @classmethod
    def of(cls, settings: Mapping[str, Any], names: Mapping[str, str] | None = None) -> Self:
        """Return the value with these settings; an error calls them by `names`, where they have others.

        Raises
        ------
        UsageError
            As the class itself.
        """
        config = cls.__new__(cls)
        config._set({name: value for name, value in settings.items() if value is not None}, names or {})
        return config

    def _set(self, settings: Mapping[str, Any], names: Mapping[str, str]) -> None:
        try:
            super().__init__(**_with_defaults(settings))
        except ValidationError as error:
            known = type(self).options()
            unknown = [name for name in settings if name not in known]
            raise UsageError(
                "bad training settings",
                got="; ".join(named_problems(error, names)),
                hint=nearest(unknown[0], known) if unknown else None,
            ) from None
        OPTIMIZERS.need(self.optimizer)
        refuse_unusable(self)
        refuse_beside(self)
        refuse_beside_replay(self)

    @classmethod
    def groups(cls) -> Iterator[type[Settings]]:
        """Yield the classes that declare the settings, each with the heading of the help as its docstring."""
        yield from cls.__bases__

    def identity(self) -> dict[str, Any]:
        """Return the settings by which a run is known, as plain values: another value of one trains other weights."""
        flat = {**self.settings(), "lora_target": sorted(self.lora_target)}
        if self.method.package():
            flat["method"] = f"{self.method.name} {self.method.version} of {self.method.package()}"
        marks = {name: option_of(info) for name, info in type(self).options().items()}
        return {
            name: value
            for name, value in flat.items()
            if not isinstance(mark := marks.get(name), Setting) or mark.identity
        }

    def to_yaml(self, sources: Mapping[str, str] | None = None, **others: Any) -> str:
        """Return all settings as a file that `sage-train --config` reads, the paths in it absolute.

        Parameters
        ----------
        sources
            Setting -> who said it, told in a comment; the rest are defaults.
        others
            Settings of the command, such as `selection`, told first.
        """
        lines = ["# The settings of this run; what no source is told of is a default."]
        values = {**others, **self.relocated(_absolute).settings()}
        ordered = [*others, *(name for group in self.groups() for name in group.options() if name in values)]
        for name, value in ((name, values[name]) for name in ordered):
            if name not in _OF_ONE_CALL:
                source = (sources or {}).get(name)
                written = json.dumps(_anywhere(name, value), ensure_ascii=False)
                lines.append(f"{name}: {written}" + (f"  # {source}" if source else ""))
        return "\n".join(lines) + "\n"


def _with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those that others decide where they are not given."""
    preset = {} if settings.get("preset") is None else PRESETS.need(str(settings["preset"])).settings
    if settings.get("schedule_file") is not None:  # it says how long the run is
        preset = {name: value for name, value in preset.items() if name not in ("epochs", "max_steps")}
    given = {**preset, **settings}
    kind = KINDS.get(str(given.get("adapter", TrainConfig.model_fields["adapter"].default)))
    return {
        **({} if kind is None else {"learning_rate": kind.learning_rate}),
        **({} if given.get("early_stopping") is None else {"final_weights": "best"}),
        **given,
    }


#: Settings that say what one call does with a folder.
_OF_ONE_CALL: Final = ("force", "resume", "allow_change")


def _anywhere(name: str, value: Any) -> Any:
    """Return a path as one that holds from any folder; another value as it is."""
    if name in ("output_dir", "chat_template", "selection", "eval_data", "from_adapter", "schedule_file", "replay") or (
        name == "model" and is_local(str(value))
    ):
        return str(user_path(Path(str(value))).absolute())
    return value


def _absolute(text: str, mark: Reads | Writes) -> str:
    """Return a path as one that holds from any folder; the name of a repository as it is."""
    return text if mark.kind == "model" and not is_local(text) else str(user_path(Path(text)).absolute())


def _parameters() -> str:
    """Return the settings as a docstring lists parameters."""
    lines = ["    Parameters", "    ----------"]
    for group in TrainConfig.groups():
        for name, info in group.options().items():
            option, choice = option_of(info), group.choices().get(name)
            said = choice.help if choice else option.help if option else ""
            default = (
                f"by default `{choice.default}`"
                if choice
                else "must be given"
                if info.is_required()
                else f"by default {_default(option, info.default)}"
            )
            lines += [f"    {name}", f"        {said}; {default}."]
    return "\n".join(lines)


def _default(option: Any, value: Any) -> str:
    return option.default if option is not None and option.default else f"`{value}`"


TrainConfig.__doc__ = (TrainConfig.__doc__ or "").replace("    Raises\n", f"{_parameters()}\n\n    Raises\n", 1)
