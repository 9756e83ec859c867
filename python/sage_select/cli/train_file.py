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
_ALWAYS: Final = "needs no saying here"
#: Before what something is called here.
_CALLED: Final = "names of other trainers, by which is meant here"
#: Settings that name files or folders, besides those of training methods: relative ones are beside the file.
_PATHS: Final = (
    "selection",
    "output_dir",
    "chat_template",
    "from_adapter",
    "schedule_file",
    "replay",
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
        expected = f"expected settings by their names, got {shortened(document.value)}"
        raise spec_error(document.file, [Problem(expected, document.file)], _WHAT)
    table = train_table()
    known = {flag.setting for flag in table.flags}
    said: dict[str, list[str]] = {}
    for key, value in _joined(document.value).items():
        line, column = document.places.of((key,), key=True) or (None, None)
        try:
            found, notice = _meaning(key, value, known, table.aliases)
        except _Unusable as why:
            problems.append(Problem(str(why), document.file, line, column, key))
            continue
        for name, one in found.items():
            if name in read.values and read.values[name] == _beside(path, name, one):
                continue
            if name in read.values:
                again = f"says {name} again, after {read.sources[name]}"
                problems.append(Problem(again, document.file, line, column, key))
                continue
            read.values[name] = _beside(path, name, one)
            read.sources[name] = f"{path}:{line}" if line else str(path)
        if notice:
            renamed = notice.removeprefix(_CALLED)
            said.setdefault(_CALLED if renamed != notice else notice, []).append(
                f"{key} is {renamed}" if renamed != notice else key
            )
    read.notices.extend(f"{path}: {notice}: {', '.join(keys)}" for notice, keys in said.items())
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
            return found, f"taken as {said}" if said else _ALWAYS
    if key in known:
        return {key: value}, None
    typed = "--" + key.replace("_", "-")
    if typed in aliases:
        name, trl, alone = aliases[typed]
        if alone is not None:
            found = _flag(name, alone)(value) or {}
            return found, f"taken as {name} {alone}" if found else _ALWAYS
        return {name: value}, None if trl else _CALLED + name
    if key in _NEEDLESS:
        return {}, _NEEDLESS[key]
    if value in _OFF:
        return {}, "left out, since it is off"
    if typed in TRAIN_HABITS:
        raise _Unusable(TRAIN_HABITS[typed])
    raise _Unusable(f"there is no such setting{f', {hint}' if (hint := nearest(key, known)) else ''}")


def _joined(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those in one that are two elsewhere: how PiSSA begins, when rows are evaluated."""
    joined = dict(value)
    if "eval_strategy" in joined and joined["eval_strategy"] in _OFF:
        joined.pop("eval_steps", None)
    if joined.get("pissa_init") is True and isinstance(joined.get("pissa_iter"), int):
        joined["pissa_init"] = joined.pop("pissa_iter")
    return joined


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
                line = next(iter(document.places.of((name,), key=True) or ()), None)
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


def _pissa(value: Any) -> dict[str, Any]:
    """Take LLaMA-Factory's `pissa_init`, or its number of iterations, of which a negative one means none."""
    if type(value) is int:
        return {"init_lora_weights": f"pissa_niter_{value}" if value > 0 else "pissa"}
    return _flag("init_lora_weights", "pissa")(value) or {}


def _chat_template(value: Any) -> dict[str, Any]:
    """Take a file; names of templates are axolotl's, for what models bring themselves."""
    named = isinstance(value, str) and "/" not in value and "." not in value and "{" not in value
    return {} if named or value is None else {"chat_template": value}


def _dataset(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and "," in value:
        value = value.split(",")
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
    names = {one.library_name: name for name, one in OPTIMIZERS.items()}
    names |= {"adamw_torch": "adamw", "adamw_hf": "adamw", "adamw_bnb_8bit": "adamw_8bit"}
    return {"optimizer": names.get(value, value)}


_DTYPES: Final[Mapping[Any, Mapping[str, Any]]] = {
    "bfloat16": {"precision": "bf16"},
    "float16": {"precision": "fp16"},
    "float32": {"precision": "fp32"},
    "auto": {},
}
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
    "eval_strategy": _words(
        {"steps": {}, **{key: {} for key in ("no", False, None)}}, why=TRAIN_HABITS["--eval-strategy"]
    ),
    "stage": _words({"sft": {}}, why="only supervised fine-tuning is done here: stage sft"),
    "finetuning_type": _words({"lora": {"adapter": "lora"}, "full": {"adapter": "full"}}),
    "adapter": _words(
        {**{kind: {"adapter": kind} for kind in KINDS}, "qlora": {"adapter": "lora", "load_in_4bit": True}, None: {}}
    ),
    "optim": _optimizer,
    "optimizer": _optimizer,
    "pissa_init": _pissa,
    "chat_template": _chat_template,
    "dtype": _words(_DTYPES),
    "torch_dtype": _words(_DTYPES),
    "model_type": _words({"AutoModelForCausalLM": {}, None: {}}, why="the class of a model is that of its config.json"),
    "tokenizer_type": _words({"AutoTokenizer": {}, None: {}}, why="the class of a tokenizer is that of its own files"),
    "do_train": _words({True: {}}, why="sage-train trains"),
    "use_peft": _words({True: {}}, why="an adapter is trained, always"),
    "assistant_only_loss": _words({True: {}}, why="only answers are trained, always"),
    "completion_only_loss": _words({True: {}}, why="only answers are trained, always"),
    "train_on_inputs": _words({False: {}}, why=TRAIN_HABITS["--train-on-inputs"]),
}
_ENDS: Final = "left out: the tokens that end turns are found in the chat template"
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
            "ddp_find_unused_parameters",
            "gradient_checkpointing_kwargs",
            "activation_checkpointing_kwargs",
            "pissa_convert",
            "dataset_train_split",
            "eval_sample_packing",
            "per_device_eval_batch_size",
            "save_only_model",
            "save_strategy",
            "saves_per_epoch",
        ),
        _ALWAYS,
    ),
    "eos_token": _ENDS,
    "eot_tokens": _ENDS,
    "trust_remote_code": "left out: code of a repository is never run",
    "tf32": "left out: products in float32 are computed as torch is set",
    "use_liger_kernel": "left out: losses are made for the trained tokens alone, without all logits, as it is",
    "logging_dir": "logs go to logs/ in the output folder",
    "max_samples": "left out: the selection says which rows there are",
}
