"""A file of settings for `sage-train`, by our names or those of TRL, LLaMA-Factory and axolotl."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from sage_select.cli.train_habits import TRAIN_HABITS
from sage_select.cli.train_table import Alias, train_table
from sage_select.declare.problems import shortened
from sage_select.errors import Problem, nearest
from sage_select.paths import user_path
from sage_select.pipeline.spec.document import Document, parse, spec_error
from sage_select.train.kinds import KINDS
from sage_select.train.methods import METHODS
from sage_select.train.optimizers import OPTIMIZERS
from sage_select.values.location import location_of

__all__ = ["TrainFile", "read_train_file"]

_WHAT: Final = "file of settings"
#: Settings that name files or folders, besides those of training methods: relative ones are beside the file.
_PATHS: Final = (
    "selection",
    "output_dir",
    "chat_template",
    "from_adapter",
    "schedule_file",
    "eval_data",
    "eval_result",
)
_OFF: Final[tuple[Any, ...]] = (None, False, 0, "", "none", "no", "false", [], {})


@dataclass(frozen=True)
class TrainFile:
    """What a file says.

    Attributes
    ----------
    values
        Our setting -> value.
    sources
        Our setting -> `file:line` that says it.
    notices
        What was understood by another name, or has no need to be said, a line each.
    """

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


class _Unusable(Exception):  # noqa: N818  (it never leaves this module)
    """A value of another program that means nothing here; its text says why, and what to do."""


def read_train_file(path: Path) -> TrainFile:
    """Read settings from YAML or TOML.

    Parameters
    ----------
    path
        The file. Relative paths in it are relative to its folder.

    Raises
    ------
    UsageError
        If the file is missing or not well formed, or anything in it is unknown, or said twice. All problems are
        listed as `file:line:column: key: what`.
    """
    document = parse(path, _WHAT)
    problems = list(document.problems)
    read = TrainFile()
    if not isinstance(document.value, Mapping):
        said = f"expected settings by their names, got {shortened(document.value)}"
        raise spec_error(document.file, [Problem(said, document.file)], _WHAT)
    table = train_table()
    known = {flag.setting for flag in table.flags}
    for key, value in document.value.items():
        line, column = document.places.of((key,), key=True) or (None, None)
        try:
            found, notice = _meaning(key, value, known, table.aliases)
        except _Unusable as why:
            problems.append(Problem(str(why), document.file, line, column, key))
            continue
        for name, one in found.items():
            if name in read.values:
                said = f"says {name} again, after {read.sources[name]}"
                problems.append(Problem(said, document.file, line, column, key))
                continue
            read.values[name] = _beside(path, name, one)
            read.sources[name] = f"{path}:{line}" if line else str(path)
        if notice:
            read.notices.append(f"{path}:{line}: {key}: {notice}" if line else f"{path}: {key}: {notice}")
    problems += _missing_inputs(path, read, document)
    if problems:
        raise spec_error(document.file, problems, _WHAT)
    return read


def _meaning(
    key: str, value: Any, known: set[str], aliases: Mapping[str, Alias]
) -> tuple[Mapping[str, Any], str | None]:
    """Return what a key of a file sets here, and what to say of it."""
    if key in _TRANSLATED:
        found = _TRANSLATED[key](value)
        if found == {key: value}:
            return found, None
        if found is not None:
            said = ", ".join(f"{name} {shortened(one)}" for name, one in found.items())
            return found, f"taken as {said}" if said else "it is so here, always"
    if key in known:
        return {key: value}, None
    typed = "--" + key.replace("_", "-")
    if typed in aliases:
        name, trl, alone = aliases[typed]
        if alone is not None:
            found = _flag(name, alone)(value) or {}
            return found, f"taken as {name} {alone}" if found else "it is so here unless said otherwise"
        return {name: value}, None if trl else f"is called {name} here"
    if key in _NEEDLESS:
        return {}, _NEEDLESS[key]
    if typed in TRAIN_HABITS:
        if value in _OFF:
            return {}, f"left out: {TRAIN_HABITS[typed]}"
        raise _Unusable(TRAIN_HABITS[typed])
    raise _Unusable(f"there is no such setting{f', {hint}' if (hint := nearest(key, known)) else ''}")


@cache
def _locations() -> Mapping[str, str]:
    """Return the settings of training methods that name files or models, with which of the two."""
    fields = (item for member in METHODS.values() for item in member.model_fields.items())
    return {name: mark.kind for name, info in fields if (mark := location_of(info)) is not None}


def _beside(file: Path, name: str, value: Any) -> Any:
    """Return a path as one that holds from any folder; another value as it is."""
    if not isinstance(value, str) or value == "none":
        return value
    beside = file.parent / user_path(Path(value))
    kind = "file" if name in _PATHS else "model" if name == "model" else _locations().get(name)
    if kind == "file" or (kind == "model" and (value.startswith((".", "~", "/")) or beside.is_dir())):
        return str(beside)
    return value


def _missing_inputs(file: Path, read: TrainFile, document: Document) -> list[Problem]:
    """Return a problem for each input that lies in the current folder and not beside the file."""
    problems = []
    for name in ("selection", "chat_template", "eval_data"):
        value = read.values.get(name)
        if isinstance(value, str) and value != "none" and not Path(value).exists():
            here = Path(value).relative_to(file.parent) if Path(value).is_relative_to(file.parent) else None
            if here is not None and here.exists():
                line = int(read.sources[name].rpartition(":")[2])
                said = f"{value} is not there; relative paths in a file are relative to its own folder"
                problems.append(Problem(said, document.file, line, None, name))
    return problems


def _flag(name: str, chosen: Any = True) -> Callable[[Any], dict[str, Any] | None]:
    """Return the translation of a truth value: where it is true, `name` is `chosen`."""

    def translated(value: Any) -> dict[str, Any] | None:
        if value is True:
            return {name: chosen}
        if value in (*_OFF, "auto"):
            return {}
        raise _Unusable(f"expected true or false, got {shortened(value)}")

    return translated


def _words(meanings: Mapping[Any, Mapping[str, Any] | None], *, why: str = "") -> Callable[[Any], Any]:
    """Return the translation of words; None stands for a value that is taken as our own setting takes it."""

    def translated(value: Any) -> Mapping[str, Any] | None:
        if isinstance(value, list | dict) or value not in meanings:
            raise _Unusable(why or f"expected {' or '.join(map(str, meanings))}, got {shortened(value)}")
        return meanings[value]

    return translated


def _all_linear(value: Any) -> dict[str, Any] | None:
    return {"lora_target": "all-linear"} if value in ("all", ["all"]) else {"lora_target": value}


def _dataset(value: Any) -> dict[str, Any]:
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    path = one.get("path") if isinstance(one, Mapping) else one
    if isinstance(path, str):
        return {"selection": path}
    raise _Unusable("expected one selection: `sage-select build` makes one of several files")


def _template(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and "{" in value:
        return {"template": value}
    if isinstance(value, str):  # LLaMA-Factory's names of chat templates
        return {}
    raise _Unusable(f"expected text from columns, such as '{{title}}\\n{{body}}', got {shortened(value)}")


def _optimizer(value: Any) -> dict[str, Any]:
    """Take transformers' names of the optimizers that there are here."""
    names = {one.library_name: name for name, one in OPTIMIZERS.items()} | {"adamw_torch": "adamw"}
    return {"optimizer": names.get(value, value)}


_FLASH: Final = {"attn_implementation": "flash_attention_2"}
#: Keys whose values mean something else here -> the settings that they come to; None: as our own setting takes it.
_TRANSLATED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "bf16": _flag("precision", "bf16"),
    "fp16": _flag("precision", "fp16"),
    "quantization_bit": _words({4: {"load_in_4bit": True}, 8: {"load_in_8bit": True}, None: {}}),
    "lora_target": _all_linear,
    "lora_target_linear": _flag("lora_target", "all-linear"),
    "dataset": _dataset,
    "datasets": _dataset,
    "dataset_name": _dataset,
    "template": _template,
    "flash_attention": _flag("attn_implementation", "flash_attention_2"),
    "flash_attn": _words(
        {
            "auto": {},
            "fa2": _FLASH,
            True: _FLASH,
            False: {},
            "sdpa": {"attn_implementation": "sdpa"},
            "disabled": {"attn_implementation": "eager"},
        }
    ),
    "stage": _words({"sft": {}}, why="only supervised fine-tuning is done here: stage sft"),
    "finetuning_type": _words({"lora": {"adapter": "lora"}, "full": {"adapter": "full"}}),
    "adapter": _words(
        {**{kind: {"adapter": kind} for kind in KINDS}, "qlora": {"adapter": "lora", "load_in_4bit": True}, None: {}}
    ),
    "optim": _optimizer,
    "do_train": _words({True: {}}, why="sage-train trains"),
    "use_peft": _words({True: {}}, why="an adapter is trained, always"),
    "assistant_only_loss": _words({True: {}}, why="only answers are trained, always"),
    "completion_only_loss": _words({True: {}}, why="only answers are trained, always"),
    "train_on_inputs": _words({False: {}}, why=TRAIN_HABITS["--train-on-inputs"]),
}
_ALWAYS: Final = "needs no saying here"
#: Keys of other programs that change nothing of what is learned.
_NEEDLESS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "plot_loss",
            "overwrite_cache",
            "preprocessing_num_workers",
            "dataset_num_proc",
            "dataset_prepared_path",
            "dataset_dir",
            "ddp_timeout",
            "pad_to_sequence_len",
            "remove_unused_columns",
            "save_safetensors",
            "strict",
            "log_level",
            "logging_first_step",
            "do_eval",
        ),
        _ALWAYS,
    ),
    "logging_dir": "logs go to logs/ in the output folder",
    "max_samples": "left out: the selection says which rows there are",
}
