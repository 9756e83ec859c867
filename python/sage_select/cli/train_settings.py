"""What a run is told, by the command line, a file and what is built in, and which of these said it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from sage_select import demo
from sage_select.cli.console import Console
from sage_select.cli.train_file import read_train_file
from sage_select.cli.train_table import train_table
from sage_select.declare import Settings
from sage_select.errors import UsageError
from sage_select.io import read_manifest
from sage_select.methods import DECIDED
from sage_select.paths import user_path
from sage_select.train.config import TrainConfig
from sage_select.train.presets import PRESETS
from sage_select.train.settings.declared import Setting

__all__ = [
    "CommandSettings",
    "ConfiguredRun",
    "GivenSettings",
    "MeasuringSettings",
    "configured",
    "groups",
    "settings_of_comparison",
    "settings_of_teacher",
]

_COMMAND_LINE: Final = "command line"


class CommandSettings(Settings):
    """Selection."""

    selection: Annotated[
        Path,
        Setting(
            "a file written by `sage-select build`, or any table it can read",
            metavar="FILE",
            trl=("dataset_name",),
            others=("dataset", "train_file", "train_data", "-i", "--input", "--data"),
        ),
    ] = Path("out.arrow")


class MeasuringSettings(Settings):
    """Measuring after training."""

    eval_data: Annotated[
        str | None,
        Setting(
            "held-out rows on which the tuned model is measured beside the base model, or none; those that are among "
            "the selected rows are left out",
            metavar="FILE|none",
            default="the built-in ones for the demo data, else none",
            others=("eval_dataset", "eval_file", "validation_file", "test_file"),
        ),
    ] = None
    eval_result: Annotated[
        Path | None,
        Setting(
            "file for that comparison and every generated turn, as JSON; replaces an older one, nothing else",
            metavar="FILE",
        ),
    ] = None
    eval_turns: Annotated[
        str | None,
        Setting(
            "the most turns that are generated of those that call tools, and of those that do not",
            metavar="N|all",
            default="200",
        ),
    ] = None


def groups() -> tuple[type[Settings], ...]:
    """Return the classes that declare settings, in the order of the help."""
    return (CommandSettings, *TrainConfig.groups(), MeasuringSettings)


@dataclass
class GivenSettings:
    """Settings by name, and who said each; what is said later wins.

    Attributes
    ----------
    values
        Name -> value.
    sources
        Name -> who said it: `command line`, `train.yaml:3`, `demo`.
    notices
        What was understood otherwise than it was written.
    """

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def add(self, values: Mapping[str, Any], source: str) -> None:
        """Take settings that one source says."""
        for name, value in values.items():
            self.values[name] = value
            self.sources[name] = source

    def add_file(self, path: Path) -> None:
        """Take the settings of a file."""
        read = read_train_file(path)
        self.values |= read.values
        self.sources |= read.sources
        self.notices += read.notices

    def add_command_line(self, settings: Mapping[str, Mapping[str, Any]], precisions: Iterable[str]) -> None:
        """Take the options that were given, by the class that declares them; None stands for one that was not.

        Raises
        ------
        UsageError
            If several say what is computed in.
        """
        given = {name: value for group in settings.values() for name, value in group.items() if value is not None}
        spelt = [f"--{name}" for name in precisions]
        if "precision" in given:
            spelt.append(f"--precision {given['precision']}")
        if len(spelt) > 1:
            raise UsageError(f"{' and '.join(spelt)} exclude each other", hint="choose one of them")
        if spelt and "precision" not in given:
            given["precision"] = spelt[0].removeprefix("--")
        # Of two that exclude each other, what the command line says takes the place of what a file says.
        for one, other in (("load_in_4bit", "load_in_8bit"), ("resume", "force")):
            for mine, theirs in ((one, other), (other, one)):
                if given.get(mine) and theirs not in given:
                    self.values.pop(theirs, None)
        self.add(given, _COMMAND_LINE)

    def add_preset(self) -> None:
        """Take the settings of the preset that is named, where nobody said them."""
        name = self.values.get("preset")
        if name is not None:
            own = PRESETS.need(str(name)).settings
            self.add({key: one for key, one in own.items() if key not in self.values}, f"preset {name}")

    def take(self, names: Iterable[str]) -> dict[str, Any]:
        """Take these settings out and return them."""
        return {name: self.values.pop(name) for name in names if name in self.values}

    def names(self) -> dict[str, str]:
        """Return what an error calls each setting: its option, or its key and where it stands."""
        typed = {flag.setting: flag.spelling.partition("/")[0] for flag in train_table().flags}
        return {
            name: typed.get(name, name) if source == _COMMAND_LINE else f"{source}: {name}"
            for name, source in self.sources.items()
        }

    def facts(self, config: TrainConfig) -> dict[str, object]:
        """Return the settings that somebody said, each with who did, and how many are defaults."""
        settings = config.settings()
        said = {name: value for name, value in settings.items() if name in self.sources and name in self.values}
        facts: dict[str, object] = {name: f"{_shown(value)}  ({self.sources[name]})" for name, value in said.items()}
        return {**facts, "defaults": f"{len(settings) - len(said)} others"}


@dataclass(frozen=True)
class ConfiguredRun:
    """A run that the command line asks for.

    Attributes
    ----------
    selection, config, measuring
        What is trained on, how, and on what it is measured after training.
    is_demo
        Whether the selection is one of the demo data.
    sources
        Setting -> who said it.
    """

    selection: Path
    config: TrainConfig
    measuring: MeasuringSettings
    is_demo: bool
    sources: Mapping[str, str]


def configured(
    console: Console, settings: Mapping[str, Mapping[str, Any]], file: Path | None, precisions: Mapping[str, bool]
) -> ConfiguredRun:
    """Return the run that the options and a file ask for, and show its settings.

    Parameters
    ----------
    console
        GivenSettings what was understood otherwise than it was written, and of the settings.
    settings
        The class that declares settings -> setting -> value, None where an option was not given.
    file
        That of `--config`.
    precisions
        `bf16`, `fp16`, `fp32`, and whether the option of that name was given.

    Raises
    ------
    UsageError
        If a setting is wrong, there is no such selection, or no model is named.
    """
    told = GivenSettings()
    if file is not None:
        told.add_file(user_path(file))
    told.add_command_line(settings, [name for name, on in precisions.items() if on])
    for text in told.notices:
        console.notice(text)
    command = CommandSettings.make(**told.take(CommandSettings.model_fields))
    measuring = MeasuringSettings.make(**told.take(MeasuringSettings.model_fields))
    selection = user_path(command.selection)
    if not selection.exists():
        raise UsageError(
            "there is no such selection",
            where=str(selection),
            hint="make one with `sage-select build`, or name it with --selection",
        )
    manifest = read_manifest(selection, verify=told.values.get("verify", True))
    is_demo = manifest is not None and demo.is_demo(manifest)
    if "model" not in told.values:
        if not is_demo:
            raise UsageError(
                "no model is named",
                expected="--model with a folder or a repository of a causal language model",
                hint="only a selection of the built-in demo data has a model of its own",
            )
        console.notice("a selection of the demo data: using the built-in demo model and its settings")
        own = {**demo.TRAINING, "model": str(demo.model_path())}
        if "schedule_file" in told.values:  # it says how long the run is
            del own["max_steps"]
        told.add({name: value for name, value in own.items() if name not in told.values}, "demo data")
    told.add_preset()
    config = TrainConfig.of(told.values, told.names())
    console.summary("settings", told.facts(config))
    return ConfiguredRun(selection, config, measuring, is_demo, told.sources)


def settings_of_teacher(settings: Mapping[str, Mapping[str, Any]]) -> tuple[Path, TrainConfig]:
    """Return the selection and the settings of a command that asks a teacher about rows.

    Raises
    ------
    UsageError
        If a setting is wrong, no model is named, or there is no such selection.
    """
    told = GivenSettings()
    told.add_command_line(settings, ())
    command = CommandSettings.make(**told.take(CommandSettings.model_fields))
    selection = user_path(command.selection)
    if not selection.exists():
        raise UsageError("there is no such selection", where=str(selection), hint="name it with --selection")
    if "model" not in told.values:
        raise UsageError("no model is named", expected="--model with the folder or repository of the teacher")
    return selection, TrainConfig.of(told.values, told.names())


def settings_of_comparison(
    console: Console, settings: Mapping[str, Mapping[str, Any]], file: Path | None, *, is_demo: bool
) -> TrainConfig:
    """Return the settings that all arms of a comparison have, and show them.

    Raises
    ------
    UsageError
        If a setting is wrong, or the comparison's to say, or no model is named.
    """
    told = GivenSettings()
    if file is not None:
        told.add_file(user_path(file))
    told.add_command_line(settings, ())
    for text in told.notices:
        console.notice(text)
    decided = [name for name in DECIDED if name in told.values and name != "model"]
    if decided:
        raise UsageError(
            f"{', '.join(decided)}: the comparison says that itself, as it is the same for all arms or follows from it",
            where=told.sources[decided[0]],
            hint="leave it out",
        )
    if "model" not in told.values:
        if not is_demo:
            raise UsageError(
                "no model is named",
                expected="--model with a folder or a repository of a causal language model",
                hint="only the built-in demo data has a model of its own",
            )
        console.notice("rows of the demo data: using the built-in demo model and its settings")
        own = {name: value for name, value in demo.TRAINING.items() if name not in DECIDED}
        own["model"] = str(demo.model_path())
        told.add({name: value for name, value in own.items() if name not in told.values}, "demo data")
    told.add_preset()
    told.take((*CommandSettings.model_fields, *MeasuringSettings.model_fields))
    config = TrainConfig.of(told.values, told.names())
    console.summary("settings of all arms", told.facts(config))
    return config


def _shown(value: Any) -> str:
    """Return a value as a file of settings has it, a list without brackets."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
