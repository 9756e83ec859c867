"""What people type who know other programs, and what it is called here."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sage_select.errors import UsageError, nearest

__all__ = ["COMMAND_HABITS", "SELECT_HABITS", "unknown_option", "usage_error"]

#: Options of other programs -> the option of `sage-select` that does it, or what to do instead.
SELECT_HABITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("--out", "--output-file", "--output-path", "--outfile", "--output-dir", "--save"), "--output"),
    **dict.fromkeys(
        ("--k", "-n", "--n", "--num", "--limit", "--size", "--count", "--n-select", "--max-rows"), "--budget"
    ),
    **dict.fromkeys(("--num-samples", "--n-samples", "--num-rows", "--sample-size", "--top-k", "--head"), "--budget"),
    **dict.fromkeys(("--frac", "--fraction", "--ratio", "--percent", "--share", "--select-ratio"), "--budget 10%"),
    **dict.fromkeys(("--tokens", "--max-tokens", "--token-budget"), '--budget "200k tokens"'),
    **dict.fromkeys(("--dedupe", "--deduplicate", "--deduplication"), "--dedup exact, or --dedup near"),
    **dict.fromkeys(("--method", "--sampler", "--selector", "--algorithm", "--mode"), "--strategy"),
    **dict.fromkeys(("--random-state", "--random-seed", "--rng", "-s"), "--seed"),
    **dict.fromkeys(("--config", "--pipeline", "--recipe", "-c"), "--spec"),
    **dict.fromkeys(("--overwrite", "--yes", "-y", "-f"), "--force"),
    **dict.fromkeys(
        ("--text-field", "--text-key", "--content-column", "--text", "--column", "--field"), "--text-column"
    ),
    **dict.fromkeys(("--prompt-field", "--instruction-column", "--question-column"), "--prompt-column"),
    **dict.fromkeys(("--response-column", "--answer-column", "--output-column"), "--completion-column"),
    **dict.fromkeys(("--id", "--id-field", "--key"), "--id-column"),
    **dict.fromkeys(("--score", "--score-file", "--losses", "--weights"), "--scores FILE, or --score-column NAME"),
    **dict.fromkeys(("--score-field", "--loss-column"), "--score-column"),
    **dict.fromkeys(("--embedding-file", "--vectors", "--features"), "--embeddings"),
    **dict.fromkeys(("--embedding-model", "--embedder"), "--embed-model"),
    **dict.fromkeys(("--model", "--model-name"), "--score-model, or --embed-model"),
    **dict.fromkeys(("--stratify", "--stratify-by", "--group-by", "--per-class"), "--balance"),
    **dict.fromkeys(
        ("--mixture", "--blend", "--proportions", "--probabilities", "--interleave-probs", "--sampling-weights"),
        "--mix COLUMN=VALUE:SHARE,...",
    ),
    **dict.fromkeys(("--include", "--keep"), "--pin"),
    **dict.fromkeys(("--ignore", "--drop", "--skip"), "--exclude"),
    **dict.fromkeys(("--plan", "--show-plan"), "--explain"),
    **dict.fromkeys(("--dryrun", "--simulate", "--estimate"), "--dry-run"),
    **dict.fromkeys(
        ("--workers", "--num-workers", "--jobs", "-j", "--n-jobs", "--num-threads", "--num-proc"), "--threads"
    ),
    **dict.fromkeys(("--silent",), "--quiet"),
    **dict.fromkeys(
        (
            "--input",
            "-i",
            "--in",
            "--data",
            "--dataset",
            "--file",
            "--path",
            "--input-file",
            "--data-path",
            "--train-file",
        ),
        "the input is named without an option: sage-select build INPUT",
    ),
    **dict.fromkeys(
        ("--format", "--output-format", "--to", "--type"),
        "the format follows the name of the output: --output NAME.arrow, .parquet, .jsonl, or a folder",
    ),
    **dict.fromkeys(
        ("--verbose", "-v", "--debug", "--log-level"), "it says what it does; --quiet says nothing but errors"
    ),
    **dict.fromkeys(
        ("--split", "--subset", "--name", "--streaming"),
        "name the files of a split: sage-select build 'hf://datasets/OWNER/NAME/**/train*.parquet'",
    ),
    **dict.fromkeys(("--shuffle",), "the output is in a random order already, fixed by --seed"),
    **dict.fromkeys(
        ("--test-size", "--train-size", "--val-size"),
        "there is no split here: --exclude FILE leaves rows out, by their ids; --holdout FILE, what repeats its rows",
    ),
    **dict.fromkeys(
        ("--decontaminate", "--decontamination", "--hold-out", "--held-out", "--heldout", "--eval-data", "--test-file"),
        "--holdout",
    ),
    **dict.fromkeys(
        ("--device", "--gpu", "--cuda", "--batch-size"),
        "selection runs on the CPU, and models on a GPU where there is one",
    ),
}

#: Commands of other programs -> the command here.
COMMAND_HABITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("select", "run", "sample", "filter", "subset", "make", "create", "pick", "coreset"), "build"),
    **dict.fromkeys(("explain", "validate", "check", "lint", "estimate"), "plan"),
    **dict.fromkeys(("dry-run", "estimate"), "build --dry-run"),
    **dict.fromkeys(("dedup", "dedupe", "deduplicate"), "build --dedup exact"),
    **dict.fromkeys(("head", "first", "truncate"), "top"),
    **dict.fromkeys(("compare", "cmp", "delta"), "diff"),
    **dict.fromkeys(
        ("info", "stats", "describe", "show", "peek", "preview", "profile", "analyze", "analyse"), "inspect"
    ),
    **dict.fromkeys(("new", "template", "scaffold"), "init"),
    **dict.fromkeys(("config-schema", "json-schema"), "schema"),
    **dict.fromkeys(("trace", "lookup", "lineage"), "why"),
    **dict.fromkeys(("buffer", "rehearse", "rehearsal", "memory"), "replay"),
    **dict.fromkeys(("train", "finetune", "fine-tune"), "a program of its own: sage-train"),
}


def unknown_option(option: str, declared: Iterable[str], habits: Mapping[str, str]) -> UsageError:
    """Return the error for an option that a command does not have, with what to use instead.

    Parameters
    ----------
    option
        As it was typed, with its dashes.
    declared
        The options that the command has.
    habits
        Options of other programs -> an option here (it begins with a dash), or a sentence.
    """
    known = sorted(declared)
    # --output_dir, --OutputDir and --output-dir are one habit.
    spelt = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", option).replace("_", "-")
    spelt = spelt.lower() if spelt.startswith("--") else spelt
    instead = spelt if spelt in known else habits.get(spelt)
    # What a build calls --embed-lm is --lm of `embed`, whose name says the rest.
    shorter = f"--{spelt[2:].partition('-')[2]}"
    if instead is None and shorter in known:
        instead = shorter
    if instead is not None and instead.split()[0].rstrip(",") in {*known, "-"}:
        hint: str | None = f"here it is {instead}"
    elif instead is not None and not instead.startswith("-"):
        hint = instead
    else:
        hint = (nearest(spelt, known) or "--help lists the options") + _of_left_out()
    return UsageError(f"there is no option {option}", hint=hint)


def _of_left_out() -> str:
    """Return that options may be missing, where other packages declare some and were left out."""
    if "sage_select.declare.registry" not in sys.modules:
        return ""
    from sage_select.declare.registry import left_out

    packages = sorted({one.package for one in left_out()})
    return f"; options of what was left out of {', '.join(packages)} are not there" if packages else ""


def usage_error(error: Any, habits: Mapping[str, str]) -> UsageError:
    """Return an error of the command line's parser as one of ours.

    Parameters
    ----------
    error
        An exception with `format_message`; its class is private to the parser.
    habits
        Options of other programs, as for `unknown_option`.
    """
    context: Any = getattr(error, "ctx", None)
    command = getattr(context, "command", None)
    parameters = getattr(command, "params", [])
    help_hint = f"`{context.command_path} --help` says how to call it" if context is not None else None
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and option is not None:
        commands: Mapping[str, Any] = getattr(command, "commands", {})
        owner = next((name for name, one in commands.items() if option in _declared(one.params)), None)
        if owner is not None:
            return UsageError(
                f"there is no option {option} before a command", hint=f"{context.command_path} {owner} {option} ..."
            )
        return unknown_option(option, _declared(parameters), habits)
    message = str(error.format_message()).strip().rstrip(".")
    if unknown := re.match(r"No such command '(.*?)'", message, flags=re.DOTALL):
        return _unknown_command(unknown.group(1), context, command)
    if too_many := re.match(r"Got unexpected extra argument\S* \((.*)\)", message, flags=re.DOTALL):
        return UsageError("there are more arguments than expected", got=too_many.group(1), hint=help_hint)
    parameter = getattr(error, "param", None)
    flag = max(getattr(parameter, "opts", None) or [""], key=len)
    if flag.startswith("-") and getattr(error, "message", ""):
        from sage_select.declare.problems import plain_problem  # deferred: it loads what `--help` never needs

        said = plain_problem(str(error.message).strip().rstrip("."), shown=False)
        return UsageError(f"{flag}: {said}", hint=help_hint)
    return UsageError(message[:1].lower() + message[1:], hint=help_hint)


def _unknown_command(name: str, context: Any, command: Any) -> UsageError:
    program = context.command_path
    known: Mapping[str, Any] = getattr(command, "commands", {})
    if name in COMMAND_HABITS:
        instead = COMMAND_HABITS[name]
        hint = instead if "sage-train" in instead else f"here it is `{program} {instead}`"
    else:
        hint = nearest(name, known) or f"`{program} build {name}` selects rows of a file"
    return UsageError(f"there is no command {name!r}", expected=" or ".join(known), hint=hint)


def _declared(parameters: Iterable[Any]) -> list[str]:
    return [name for one in parameters for name in (*one.opts, *one.secondary_opts) if name.startswith("-")]
