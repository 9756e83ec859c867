"""`sage-train eval`: rows found sound before any weights are loaded, then models measured, figures filed and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sage_select import demo
from sage_select.cli.console import Console
from sage_select.cli.train_settings import GivenSettings
from sage_select.cli.train_table import EVALUATORS_GROUP, eval_flags
from sage_select.errors import OutputError, SageError, UsageError
from sage_select.evaluate.settings import EvalSettings
from sage_select.paths import user_path
from sage_select.train.config import TrainConfig

if TYPE_CHECKING:
    from sage_select.evaluate import Evaluation, HeldOut, Overlap
    from sage_select.train.selection import OrderedRows

__all__ = ["evaluated"]

#: Settings of a run that an evaluation takes over, where nothing else is said.
_OF_RUN: Final = (
    "model",
    "load_in_4bit",
    "load_in_8bit",
    "precision",
    "max_length",
    "on_long_row",
    "chat_template",
    "chat_template_kwargs",
    "thinking_history",
)
#: The key of the manifest of a result.
_MARK: Final = "evaluation"
_ELSEWHERE: Final = "name another file with --output, or remove what is there"


@dataclass(frozen=True)
class _Told:
    """What the command line says."""

    own: EvalSettings
    config: TrainConfig
    options: Mapping[str, Any]
    weights: Path | None
    trained_on: Path | None
    data: Path
    output: Path | None


def evaluated(console: Console, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Measure as the options say, and report.

    Raises
    ------
    SageError
        What is wrong with the options, the rows, the model, the adapter or the output.
    """
    from sage_select.evaluate import EvaluationSession, prepare_held_out
    from sage_select.evaluate.evaluator import AUTO, chosen_evaluators
    from sage_select.evaluate.session import digest_of_run

    told = _told(console, settings)
    spelt = {flag.setting: flag.spelling for flag in eval_flags()}
    evaluators = chosen_evaluators(told.own.evaluators, told.options, spelt)
    if told.output is not None:
        _check_output(told.output, told)
    rows, overlap = _rows(console, told)
    held_out = prepare_held_out(
        rows,
        told.config,
        evaluators=evaluators,
        automatic=told.own.evaluators == AUTO,
        limits=told.own.limits,
        stages=console.progress,
    )
    for notice in (*([] if overlap is None else overlap.notices), *held_out.notices):
        console.notice_once(notice)
    console.summary("evaluators", _why(held_out))
    session = EvaluationSession(told.config, batch_tokens=told.own.batch_tokens, stages=console.progress)
    with session:
        found = {"base": session.measure(held_out)}
        if told.weights is not None:
            found["tuned"] = session.measure(held_out, told.weights, digest=digest_of_run(told.weights))
    result = _result(told, held_out, overlap, found, console.notices)
    if told.output is not None:
        _write(told.output, result, found)
    for title, facts in _facts(result).items():
        console.summary(title, facts)
    written = {} if told.output is None else {"output": str(told.output)}
    console.result({**result, **written})


def _told(console: Console, settings: Mapping[str, Mapping[str, Any]]) -> _Told:
    """Return what the options say, with what a run or an adapter says where they do not."""
    from sage_select.evaluate.evaluator import AUTO
    from sage_select.evaluate.session import trained_weights

    names = {flag.setting: flag.spelling.partition("/")[0] for flag in eval_flags()}
    own = EvalSettings.of(settings["EvalSettings"], names)
    told = GivenSettings()
    folder = own.run or own.adapter
    weights = None if folder is None else trained_weights(folder)
    run = _run_of(own, weights)
    trained_on = own.trained_on
    if run is not None:
        told.add_file(run)
        trained_on = trained_on or told.values.get("selection")
        told.values = {name: value for name, value in told.values.items() if name in _OF_RUN}
    told.add_command_line({"ModelSettings": settings["ModelSettings"], "RowSettings": settings["RowSettings"]}, ())
    if weights is not None and "model" not in told.values:
        told.add({"model": _base_of(weights)}, "the adapter")
    data = None if own.data is None else user_path(own.data)
    if "model" not in told.values and data is None and weights is None:
        console.notice("no model and no rows are named: the built-in demo model and its held-out rows")
        told.add({"model": str(demo.model_path()), "max_length": demo.TRAINING["max_length"]}, "demo data")
    if "model" not in told.values:
        raise UsageError(
            "no model is named", expected="--model with a folder or a repository of a causal language model"
        )
    if data is None and Path(str(told.values["model"])) != demo.model_path():
        raise UsageError("no rows are named", expected="--data with held-out rows")
    data = demo.heldout_path() if data is None else data
    if not data.exists():
        raise UsageError("there are no such held-out rows", where=str(data), hint="name them with --data")
    options = settings.get(EVALUATORS_GROUP, {})
    text, label = told.values.get("text_column"), options.get("label_column")
    named = [one.strip() for one in own.evaluators.split(",")]
    if text is not None and label is not None:  # a text with its label is a question with its answer
        del told.values["text_column"]
        told.add({"prompt_column": text, "completion_column": label}, "--text-column with --label-column")
        if not {AUTO, "classification"}.intersection(named):
            options = {**options, "label_column": None}
    return _Told(
        own=own,
        config=TrainConfig.of(told.values, told.names()),
        options=options,
        weights=weights,
        trained_on=None if trained_on is None else user_path(Path(str(trained_on))),
        data=data,
        output=None if own.output is None else user_path(own.output),
    )


def _run_of(own: EvalSettings, weights: Path | None) -> Path | None:
    """Return the file of the settings of the run that an adapter is of, None where there is none."""
    places = [] if own.run is None else [user_path(own.run)]
    places += [] if weights is None else [weights.parent]
    found = next((one / "settings.yaml" for one in places if (one / "settings.yaml").is_file()), None)
    if found is None and own.run is not None:
        raise UsageError(
            "the folder holds no run of sage-train",
            where=str(own.run),
            expected="one with settings.yaml",
            hint="name an adapter with --adapter",
        )
    return found


def _base_of(weights: Path) -> str:
    from sage_select.render.adapter_files import read_adapter

    base = None if (weights / "config.json").is_file() else read_adapter(weights).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UsageError("the adapter names no base model", where=str(weights), hint="name it with --model")
    return base


def _rows(console: Console, told: _Told) -> tuple[OrderedRows, Overlap | None]:
    """Return the rows to measure, and what they have in common with those that were trained."""
    from sage_select.evaluate import find_overlap
    from sage_select.evaluate.tools_offered import read_tools, with_tools
    from sage_select.train.selection import load_selection

    try:
        rows = load_selection(told.data, told.config)
    except UsageError as error:
        if told.options.get("label_column") is not None:  # as the user named the columns
            error.message = error.message.replace("--prompt-column", "--text-column")
            error.message = error.message.replace("--completion-column", "--label-column")
        raise
    if told.own.tools is not None:
        rows = with_tools(rows, read_tools(told.own.tools), told.own.tools_offered, str(told.own.tools))
    if told.trained_on is None:
        return rows, None
    try:
        trained = load_selection(told.trained_on, _as_trained(told))
    except SageError as error:
        if told.own.trained_on is not None:
            raise
        console.notice(
            f"held-out rows are not compared with those that the run trained: {error.message} ({told.trained_on})"
        )
        return rows, None
    with console.progress("comparing held-out rows with the selection") as progress:
        overlap = find_overlap(rows, trained, progress=progress)
    return overlap.apart(rows), overlap


def _as_trained(told: _Told) -> TrainConfig:
    """Return the settings without columns that are those of the held-out rows."""
    columns = ("text_column", "prompt_column", "completion_column", "template")
    return told.config.model_copy(update=dict.fromkeys(columns))


def _why(held_out: HeldOut) -> dict[str, object]:
    return {
        **{one.evaluator: one.why for one in held_out.asked},
        **{name: f"not here: {why}" for name, why in held_out.without.items()},
    }


def _result(
    told: _Told,
    held_out: HeldOut,
    overlap: Overlap | None,
    found: Mapping[str, Evaluation],
    notices: Sequence[str],
) -> dict[str, Any]:
    from sage_select import __version__
    from sage_select.evaluate.figures import figures_of
    from sage_select.render.model_files import model_revision

    base, tuned = found["base"], found.get("tuned")
    limits = told.own.limits
    evaluators = {}
    for place, asked in enumerate(held_out.asked):
        own = base.measured[place] if tuned is None else tuned.measured[place]
        figures = figures_of(own, None if tuned is None else base.measured[place])
        evaluators[asked.evaluator] = {"why": asked.why, **asked.facts, "figures": figures}
    return {
        _MARK: {
            "model": told.config.model,
            "model_revision": model_revision(told.config.model),
            "adapter": None if told.weights is None else str(told.weights),
            "adapter_digest": None if tuned is None else tuned.adapter_digest,
            "data": str(told.data),
            "rows": len(held_out.row_ids),
            "rows_dropped": list(held_out.dropped),
            "rows_truncated": len(
                {row for row, one in zip(held_out.owners, held_out.examples, strict=True) if one.cut}
            ),
            "trained_on": None if overlap is None else {"file": str(told.trained_on), **overlap.as_dict()},
            "limits": vars(limits),
            "evaluators": evaluators,
            "without": dict(held_out.without),
        },
        "sage_select": __version__,
        "notices": list(notices),
    }


def _facts(result: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    """Return the lines of the summary, by headings."""
    evaluation = result[_MARK]
    shown: dict[str, dict[str, object]] = {}
    for name, one in evaluation["evaluators"].items():
        for figure in one["figures"]:
            title = f"{name}: {figure['group']}" if figure["group"] != name else name
            shown.setdefault(title, {})[figure["name"]] = _line(figure)
    return shown


def _line(figure: Mapping[str, Any]) -> str:
    """Return a figure in words: its values, how sure they are, what it rests on, and what it is."""
    parts = [_value("" if "tuned" not in figure else "base ", figure["base"])]
    if "tuned" in figure:
        parts.append(_value("tuned ", figure["tuned"]))
        parts.append(_difference(figure))
    base = figure["base"]
    rests = f"{base['records']:,} {figure['over']}" if base.get("records") else f"no {figure['over']}"
    rows = f", {base['rows']:,} rows" if base.get("rows") not in (None, base.get("records")) else ""
    return f"{', '.join(part for part in parts if part)}; {rests}{rows}. {figure['definition']}"


def _value(name: str, figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"{name}none ({figure['why_none']})"
    bounds = figure.get("interval")
    sure = f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else f" ({figure['interval_none']})"
    beside = f", always the most frequent {figure['baseline']:.3f}" if figure.get("baseline") is not None else ""
    return f"{name}{figure['value']:.3f}{sure}{beside}"


def _difference(figure: Mapping[str, Any]) -> str:
    change = figure["difference"]
    if change["value"] is None:
        return ""
    text = f"{change['value']:+.3f}"
    if not change.get("interval"):
        return f"{text} ({change['interval_none']})"
    low, high = change["interval"]
    worse = change["value"] > 0 if figure["better"] == "lower" else change["value"] < 0
    verdict = "no clear difference" if low <= 0 <= high else "worse" if worse else "better"
    return f"{text} [{low:+.3f}, {high:+.3f}] {verdict}"


def _check_output(output: Path, told: _Told) -> None:
    """Raise where a result must not or cannot be written: it replaces an older one, and nothing else."""
    from sage_select.io import read_manifest
    from sage_select.io.output.target import preflight_output
    from sage_select.values.location import InputSetting

    inputs: dict[str, Path | str | None] = {
        "data": told.data,
        "adapter": told.weights,
        "model": told.config.model,
        "trained_on": told.trained_on,
        "tools": told.own.tools,
        "chat_template": told.config.chat_template,
    }
    settings = [InputSetting(name, "file", str(one)) for name, one in inputs.items() if one is not None]
    try:
        preflight_output(output, settings, force=True)
    except OutputError as error:
        error.hint = _ELSEWHERE
        raise
    manifest = read_manifest(output, verify=False)
    if manifest is not None and _MARK not in manifest:
        raise OutputError(
            "exists already and is not a result of sage-train eval, so that it is never replaced",
            where=str(output),
            hint=_ELSEWHERE,
        )


def _write(output: Path, result: Mapping[str, Any], found: Mapping[str, Evaluation]) -> None:
    from sage_select.evaluate.records_table import records_table
    from sage_select.io.output.write import write

    write(records_table(found), output, result, force=True)
