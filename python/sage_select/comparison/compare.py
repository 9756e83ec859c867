"""One call from methods to verdicts: what `sage-train compare` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sage_select.comparison.arms import Arm, arms_of
from sage_select.comparison.cells import Cell
from sage_select.comparison.evaluated import Evaluator
from sage_select.comparison.folder import ComparisonFolder
from sage_select.comparison.judging import judge
from sage_select.comparison.result import Comparison
from sage_select.comparison.rows import Pool, PoolRows, check_origin, pool_of_selection
from sage_select.comparison.run import Comparing, base_cell, run_arms
from sage_select.comparison.trained import Sequence as InSequence
from sage_select.comparison.trained import Workshop
from sage_select.comparison.write import check_replaceable, write_comparison
from sage_select.errors import UsageError, nearest
from sage_select.evaluate import DEFAULT_TURNS, prepare_held_out
from sage_select.evaluate.evaluator import AUTO
from sage_select.methods import MethodSpec, known_methods
from sage_select.paths import user_path
from sage_select.pipeline import Stage
from sage_select.render.model_files import load_config
from sage_select.stages import Source
from sage_select.train import TrainConfig
from sage_select.train.processes import launched
from sage_select.train.stages import Stages, silent_stages

__all__ = ["compare"]

#: From which share of the budget on an arm that consumed more or fewer tokens is told.
_OFF: Final = 0.1


def compare(
    methods: Sequence[MethodSpec],
    held_out: str | Path,
    config: TrainConfig,
    *,
    pool: Sequence[Stage] = (),
    selection: str | Path | None = None,
    output_dir: str | Path = "comparison",
    seeds: Sequence[int] = (0, 1, 2),
    tokens: int | None = None,
    budget: str | None = None,
    balance: str | None = None,
    task_column: str | None = None,
    parts: int = 4,
    teacher: str | None = None,
    evaluators: str | Sequence[str] = AUTO,
    turns: int | None = DEFAULT_TURNS,
    cache: bool | str | Path = True,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
    told: Callable[[Cell, int, int], None] | None = None,
) -> Comparison:
    """Train methods and their controls on as many tokens each, evaluate each on the same rows, and judge them.

    Rows of the pool that repeat rows to evaluate on train no arm. An arm that fails is a cell with its error. What was
    done before in the folder is not done again, so that a comparison that was stopped goes on.

    Parameters
    ----------
    methods
        What is compared; their controls are added.
    held_out
        A file, folder or pattern with the rows to evaluate on.
    config
        How is trained: the base model and what the methods do not say themselves.
    pool
        The source of the rows to choose from, and stages that come before those of every method, such as scores.
    selection
        A file that `sage-select build` wrote, compared with as many rows drawn at random from the pool it was made of.
    output_dir
        The folder for all of it.
    seeds
        Of the selection, of the adapter's first weights and of dropout.
    tokens
        That each arm consumes; three passes over the rows of the smallest where nothing is said.
    budget
        Rows that methods select, in place of what they say themselves.
    balance
        A column over whose values rows are drawn evenly, as one more control of methods that select.
    task_column, parts
        By what rows come one group after the other for methods that take them so: the values of a column, else parts of
        the pool in its order.
    teacher
        A model that teaches, in place of another arm's.
    evaluators
        What is asked of each adapter: names of `sage_select.evaluators`, or `auto` for all that apply to the rows.
    turns
        The most turns that are generated of those that call tools, and of those that do not; None for all.
    cache
        Where values of models are held, as `Pipeline.run` takes it.
    stages, notice
        As `sage_select.train.train` takes them.
    told
        Called with each cell as it is there, how many there are by then, and how many there will be.

    Raises
    ------
    UsageError
        If there is nothing to compare, or something that is named is not there.
    DataError
        If the rows to evaluate on are damaged, or there are none.
    OutputError
        If the folder holds another comparison, or anything else.
    ResourceError
        If a package is missing.
    """
    if launched().count > 1:
        raise UsageError(
            "a comparison runs in one process, which trains one arm after the other",
            got=f"{launched().count} processes",
            hint="call sage-train compare without a launcher",
        )
    if not seeds or len(set(seeds)) != len(seeds):
        raise UsageError("each seed is named once, and one at least", got=", ".join(map(str, seeds)) or "none")
    noted, stages = _Notices(notice), stages or silent_stages
    chosen = None if selection is None else user_path(Path(selection))
    steps, beside = (tuple(pool), []) if chosen is None else pool_of_selection(chosen, tuple(pool))
    if not steps or not isinstance(steps[0], Source):
        raise UsageError("there are no rows to choose from", expected="a pipeline that begins with a source")
    known = {**known_methods(), **{method.name: method for method in methods}}
    arms = arms_of(methods, known, budget=budget, balance=balance, has_teacher=teacher is not None, beside=beside)
    if teacher is not None:
        load_config(teacher)  # what is no model is told now, not when its arm is due
    if len(arms) < 2:
        raise UsageError("there is nothing to compare", got=", ".join(arm.name for arm in arms) or "no method")

    rows = Pool(steps, str(held_out), cache if isinstance(cache, bool) else Path(cache))
    with stages("reading the rows to choose from"):
        found = rows.read()
    in_sequence = any(arm.method.sequence for arm in arms)
    _check_columns(found, balance=balance, task_column=task_column if in_sequence else None)
    others = None if chosen is None else check_origin(chosen, found, named=bool(pool))
    unused = _unused(arms, balance=balance, task_column=task_column, teacher=teacher)
    for text in (*([] if others is None else [others]), *unused, *_of_rows(found), *_said_twice(arms, config)):
        noted(text)
    folder = ComparisonFolder(user_path(Path(output_dir)))
    about = {
        "model": config.model,
        "held_out": str(held_out),
        "pool": [{step.name: step.shown_settings()} for step in steps],
    }
    identity = {
        **about,
        "config": config.changed(output_dir=Path("runs")).identity(),
        "seeds": list(seeds),
        "tokens": tokens,
        "budget": budget,
        "sequence": [task_column, parts],
        "teacher": teacher,
        "evaluators": [evaluators, turns],
    }
    questions = prepare_held_out(
        str(user_path(Path(held_out))), config, turns=turns, stages=stages, notice=noted, evaluators=evaluators
    )
    evaluator = Evaluator(questions, config, stages)
    _refuse_one_name(evaluator)
    workshop = Workshop(
        pool=rows,
        config=config,
        sequence=InSequence(task_column, parts),
        teacher=teacher,
        stages=stages,
        notice=noted,
    )
    with folder.claimed(identity):
        check_replaceable(folder.path)
        for arm in arms:
            folder.claim_arm(arm.name, arm.method.identity if arm.selection is None else str(arm.selection))
        base = base_cell(evaluator, folder)
        cells, budget_of_tokens = run_arms(
            Comparing(arms, seeds, tokens), workshop, evaluator, folder, told=told or (lambda _cell, _done, _all: None)
        )
        for text in _off_budget(cells, budget_of_tokens):
            noted(text)
        result = Comparison(
            folder=folder.path,
            arms=arms,
            cells=cells,
            judgements=[judge(arms, cells, base, metric) for metric in evaluator.metrics],
            seeds=seeds,
            tokens=budget_of_tokens,
            rows=len(evaluator.held_out.row_ids),
            about=about,
            notices=noted.texts,
        )
        write_comparison(result, notice=noted)
    return replace(result, notices=tuple(noted.texts))


class _Notices:
    """What is told, each text once."""

    def __init__(self, notice: Callable[[str], None] | None) -> None:
        self.texts: list[str] = []
        self._notice = notice

    def __call__(self, text: str) -> None:
        if text not in self.texts:
            self.texts.append(text)
            if self._notice is not None:
                self._notice(text)


def _of_rows(found: PoolRows) -> Iterator[str]:
    """Yield what is to be said of the rows to choose from."""
    if found.repeating:
        yield (
            f"{found.repeating:,} of the rows to choose from repeat rows to evaluate on, or nearly do: no arm trains "
            "on them, and the row report beside each arm's selection.arrow names them"
        )


def _said_twice(arms: Sequence[Arm], config: TrainConfig) -> Iterator[str]:
    """Yield what is to be said of settings for all arms that an arm says itself."""
    for arm in arms:
        said = config.model_fields_set & arm.method.train.keys()
        other = [name for name in sorted(said) if getattr(config, name) != arm.method.train[name]]
        if other:
            yield f"{arm.name} says {', '.join(other)} itself: what is given for all arms does not count for it"


def _refuse_one_name(evaluator: Evaluator) -> None:
    """Refuse two evaluators whose figures could not be told apart."""
    counts = Counter(metric.name for metric in evaluator.metrics)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise UsageError(
            "two evaluators have a metric of one name", got=", ".join(twice), hint="name one of the two: --evaluators"
        )


def _check_columns(found: PoolRows, **named: str | None) -> None:
    """Refuse columns that are not there, before arms without them are trained."""
    for option, column in named.items():
        if column is not None and column not in found.columns:
            raise UsageError(
                f"--{option.replace('_', '-')}: the rows to choose from have no column {column!r}",
                expected=", ".join(found.columns),
                hint=nearest(column, found.columns),
            )


def _unused(arms: Sequence[Arm], **given: str | None) -> Iterator[str]:
    """Yield what is to be said of options that nothing in this comparison uses."""
    methods = [arm.method for arm in arms]
    used = {
        "balance": (any(one.selects and one.control != "none" for one in methods), "selects rows beside a control"),
        "task_column": (any(one.sequence for one in methods), "takes rows one group after the other"),
        "teacher": (any(one.teacher is not None for one in methods), "has a teacher"),
    }
    for name, (is_used, what) in used.items():
        if given[name] is not None and not is_used:
            yield f"--{name.replace('_', '-')} does nothing here: no method {what}"


def _off_budget(cells: Sequence[Cell], tokens: int) -> Iterator[str]:
    """Yield what is to be said of arms whose single steps are too large for the budget of tokens."""
    off = {cell.arm: cell.tokens for cell in cells if cell.error is None and abs(cell.tokens - tokens) > _OFF * tokens}
    if off:
        said = ", ".join(f"{arm} {count:,}" for arm, count in off.items())
        yield (
            f"{tokens:,} tokens are few steps, so that not every arm comes near to them: {said}. A larger --tokens, "
            "or a smaller --batch-size, makes them more alike"
        )
