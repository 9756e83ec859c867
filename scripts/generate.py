"""Write what is derived from the declarations: the table of options, the schema of specs, the tables of the docs.

`python scripts/generate.py` writes them; a test holds them current.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sage_select.cli import build_table, replay_table, train_table
from sage_select.cli.build_table import derived, written
from sage_select.cli.events import EVENTS, SCHEMA_VERSION
from sage_select.cli.flags import Flag, lowered
from sage_select.cli.replay_table import derived_replay, written_replay
from sage_select.cli.train_table import derived_train, written_train
from sage_select.evaluate.metrics import EXACT_ANSWER, label_metrics, tool_metrics
from sage_select.methods import CONTROLS, DECIDED, KEYS, load_method
from sage_select.methods.known import LIBRARY
from sage_select.pipeline import STAGES, Registry
from sage_select.pipeline.spec.keys import keys_of
from sage_select.pipeline.spec.schema import json_schema
from sage_select.replay.draws import DRAWS
from sage_select.replay.policies import POLICIES
from sage_select.score import LEXICAL_MEASURES
from sage_select.train.curricula import CURRICULA
from sage_select.train.kinds import BITS, INITIALISATIONS, KINDS, why_not
from sage_select.train.methods import METHODS
from sage_select.train.optimizers import OPTIMIZERS
from sage_select.train.presets import PRESETS

__all__ = ["generated"]

ROOT = Path(__file__).resolve().parent.parent
#: What the command line calls the setting of a lexical measure.
_SETTINGS = {"window": "--lexical-window", "length": "--lexical-ngram"}
#: What comes after an option, by its kind.
_TAKES = {"text": "text", "int": "a whole number", "float": "a number", "bool": "", "texts": "text, several times"}


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Return path -> text of every file that is derived, or has a derived part."""
    table, train, replay = derived(), derived_train(), derived_replay()
    files = {
        Path(build_table.__file__).with_suffix(".json"): written(table),
        Path(train_table.__file__).with_suffix(".json"): written_train(train),
        Path(replay_table.__file__).with_suffix(".json"): written_replay(replay),
        root / "docs" / "spec.schema.json": json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n",
        root / "docs" / "events.schema.json": json.dumps(events_schema(), indent=1, ensure_ascii=False) + "\n",
    }
    for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        filled = _filled(text, table.flags, train.flags, replay.made)
        if filled != text or "<!-- table: " in text:
            files[page] = filled
    return files


def events_schema() -> dict[str, Any]:
    """Return the JSON schema of a line of events."""
    kinds = []
    for kind in EVENTS:
        schema = TypeAdapter(kind).json_schema()
        own = {
            name: {key: one for key, one in about.items() if key != "title"}
            for name, about in schema["properties"].items()
        }
        common = {"event": {"const": kind.event}, "seconds": {"type": "number", "minimum": 0}}
        kinds.append(
            {
                "title": kind.event,
                "description": " ".join((kind.__doc__ or "").split()),
                "type": "object",
                "properties": {**common, **own},
                "required": [*common, *own],
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the events of sage-select and sage-train",
        "description": "Members are added to it and never change their meaning; seconds are since the first line.",
        "version": SCHEMA_VERSION,
        "oneOf": kinds,
    }


def _filled(text: str, flags: list[Flag], training: list[Flag], replay: list[Flag]) -> str:
    """Return a page with its tables written anew between their markers."""
    registries = {registry.kinds: registry for registry in Registry.every}
    elsewhere = {METHODS.kinds: training, POLICIES.kinds: replay, DRAWS.kinds: replay}

    def table(match: re.Match[str]) -> str:
        ours = {"options": lambda: _options(flags), "keys": _keys, "training": lambda: _options(training)}
        own = {**ours, **_OF_TRAINING, "lexical_measures": _lexical_measures, "metrics": _metrics}
        registry = registries.get(match[1])
        lines = "\n".join(own[match[1]]() if match[1] in own else _table(registry, elsewhere.get(match[1], flags)))
        return f"<!-- table: {match[1]} -->\n{lines}\n<!-- end of table -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end of table -->", table, text, flags=re.DOTALL)


def _table(registry: Mapping[str, Any], flags: list[Flag]) -> Iterator[str]:
    kind = "step" if registry is STAGES else f"--{getattr(registry, 'kind', '')}"
    yield f"| `{kind}` | {'does' if registry is STAGES else 'means'} | options |"
    yield "|---|---|---|"
    spelt = {flag.setting: flag.spelling.split("/")[0] for flag in flags if registry is not STAGES}
    for name, member in registry.items():
        own = {flag.setting: flag.spelling.split("/")[0] for flag in flags if flag.stage == name}
        settings = [setting for setting in member.model_fields if setting in (own if registry is STAGES else spelt)]
        said = ", ".join(f"`{(own or spelt)[setting]}`" for setting in settings)
        yield f"| `{name}` | {member.summary()} | {said} |"


def _lexical_measures() -> Iterator[str]:
    """Yield the table of lexical measures: what each is, its formula, which end is hard, and its setting."""
    yield "| `--lexical-measure` | is | formula | hard | setting |"
    yield "|---|---|---|---|---|"
    for name, measure in LEXICAL_MEASURES.items():
        setting = (
            "" if measure.setting is None else f"n, `{_SETTINGS[measure.setting]}`, {measure.default} unless given"
        )
        formula = measure.formula.replace("{n}", "n")
        hard = "high" if measure.higher_is_harder else "low"
        yield f"| `{name}` | {measure.summary} | {formula} | {hard} | {setting} |"


def _options(flags: list[Flag]) -> Iterator[str]:
    """Yield the table of all options: how each is typed, its key in specs and keyword in Python, and what it does."""
    yield "| option | key | of | takes | does |"
    yield "|---|---|---|---|---|"
    for flag in flags:
        typed = ", ".join(f"`{one}`" for one in (flag.short, *flag.spelling.split("/")) if one)
        words = (flag.metavar or "").strip("[]").split("|") if flag.metavar and flag.metavar.startswith("[") else []
        takes = ", ".join(f"`{word}`" for word in words) or flag.metavar or _TAKES[flag.kind]
        does = flag.help.replace("|", "\\|")
        yield f"| {typed} | `{flag.setting}` | {lowered(flag.group)} | {takes} | {does} |"


def _keys() -> Iterator[str]:
    """Yield the keys of each step of a spec: what they take, their default and bounds, who uses them, and what for."""
    for name, stage in STAGES.items():
        yield f"\n## `{name}`\n\n{stage.summary()}.\n"
        yield "| key | takes | default | of | means |"
        yield "|---|---|---|---|---|"
        for key in keys_of(stage):
            choices = "; ".join(f"`{member}`: {lowered(does)}" for member, does in key.members.items())
            takes = "one of these names" if key.members else key.takes
            means = key.help + (f": {choices}" if choices else "")
            counts = " and ".join(
                f"`{other}` is {' or '.join(f'`{one}`' for one in ([values] if isinstance(values, str) else values))}"
                for other, values in key.when.items()
            )
            cells = [
                f"`{key.name}`",
                takes + (f", {key.range}" if key.range else ""),
                "must be given" if key.needed else key.default,
                key.whose,
                means + (f" (counts where {counts})" if counts else ""),
            ]
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _metrics() -> Iterator[str]:
    """Yield the metrics of evaluation by what they say something about, as they are declared."""
    yield "| of | metric | is | over | better |"
    yield "|---|---|---|---|---|"
    for metric in (*tool_metrics(), EXACT_ANSWER, *label_metrics(("any", "other"))):
        yield f"| {metric.group} | `{metric.name}` | {metric.definition} | {metric.over} | {metric.better} |"


def _methods() -> Iterator[str]:
    """Yield the methods of the library: what each is, what it says, and what it is compared with."""
    yield "| method | is | steps | of training, sequence, rounds | compared with |"
    yield "|---|---|---|---|---|"
    for method in map(load_method, sorted(LIBRARY.glob("*.yaml"))):
        said = method.as_dict()
        steps = "; ".join(
            f"`{name}` {_said(settings)}"
            for step in method.steps
            for name, settings in [(step.name, step.given_settings())]
        )
        others = {key: said[key] for key in ("rounds", "sequence", "buffer", "teacher") if key in said}
        control = "" if method.control == "none" else CONTROLS[method.control]
        yield f"| `{method.name}` | {method.summary} | {steps} | {_said({**method.train, **others})} | {control} |"


def _said(settings: Mapping[str, Any]) -> str:
    """Return settings as a reader may say them."""
    words = {True: "true", False: "false"}
    shown = {
        name: _said(value) if isinstance(value, Mapping) else words[value] if isinstance(value, bool) else value
        for name, value in settings.items()
    }
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _named(title: str, entries: Mapping[str, str]) -> Callable[[], Iterator[str]]:
    """Return what yields a table of names with what they are."""

    def lines() -> Iterator[str]:
        yield f"| `{title}` | is |"
        yield "|---|---|"
        yield from (f"| `{name}` | {what} |" for name, what in entries.items())

    return lines


def _decided() -> Iterator[str]:
    yield ", ".join(f"`{name}`" for name in DECIDED) + "."


def _entries(table: Mapping[str, Any], option: str) -> Callable[[], Iterator[str]]:
    """Return what yields a table of the names that an option of `sage-train` takes."""

    def lines() -> Iterator[str]:
        yield f"| `{option}` | is |"
        yield "|---|---|"
        for name, entry in table.items():
            yield f"| `{name}` | {entry.summary} |"

    return lines


def _allowed() -> Iterator[str]:
    """Yield how a model may be held for each kind of adapter and each way to begin, and why not otherwise."""
    yield "| `--adapter` | `--init-lora-weights` | whole weights | `--load-in-4bit` | `--load-in-8bit` |"
    yield "|---|---|---|---|---|"
    notes: dict[str, int] = {}
    for kind in KINDS.values():
        for first in INITIALISATIONS.values():
            if kind.lora is None and first.name != "default":
                continue
            cells = []
            for bits in ("", *BITS):
                given = [*([bits] if bits else []), *(["init_lora_weights"] if first.name != "default" else [])]
                why = next((message.partition(": ")[2] for message, _ in why_not(kind, first, given)), None)
                cells.append("yes" if why is None else f"no ({notes.setdefault(why, len(notes) + 1)})")
            yield f"| `{kind.name}` | `{first.name}` | {' | '.join(cells)} |"
    yield ""
    yield from (f"{number}. {why[:1].upper()}{why[1:]}." for why, number in notes.items())


_OF_TRAINING = {
    "adapters": _entries(KINDS, "--adapter"),
    "first_weights": _entries(INITIALISATIONS, "--init-lora-weights"),
    "curricula": _entries(CURRICULA, "--curriculum"),
    "optimizers": _entries(OPTIMIZERS, "--optimizer"),
    "presets": _entries(PRESETS, "--preset"),
    "allowed": _allowed,
    "compared": _methods,
    "method_keys": _named("key", KEYS),
    "controls": _named("control", CONTROLS),
    "decided": _decided,
}


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
