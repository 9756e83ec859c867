"""One call from methods to verdicts: what `sage-train compare` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sage_select.comparison.arms import Arm, arms_of
from sage_select.comparison.cells import Cell
from sage_select.comparison.evaluated import Evaluator
from sage_select.comparison.folder import ComparisonFolder
from sage_select.comparison.judging import judge
from sage_select.comparison.result import Comparison
from sage_select.comparison.rows import Pool, pool_of_selection
from sage_select.comparison.run import Comparing, base_cell, run_arms
from sage_select.comparison.trained import Sequence as InSequence
from sage_select.comparison.trained import Workshop
from sage_select.comparison.write import check_replaceable, write_comparison
from sage_select.errors import UsageError
from sage_select.evaluate import DEFAULT_TURNS, prepare_held_out
from sage_select.evaluate.evaluator import AUTO
from sage_select.methods import MethodSpec, known_methods
from sage_select.paths import user_path
from sage_select.pipeline import Stage
from sage_select.stages import Source
from sage_select.train import TrainConfig
from sage_select.train.processes import launched
from sage_select.train.stages import Stages, silent_stages

__all__ = ["compare"]


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
    notices: list[str] = []

    def noted(text: str) -> None:
        if text not in notices:
            notices.append(text)
            if notice is not None:
                notice(text)

    stages = stages or silent_stages
    arms: list[Arm] = []
    if selection is not None:
        pool, arms = pool_of_selection(user_path(Path(selection)), tuple(pool))
    if not pool or not isinstance(pool[0], Source):
        raise UsageError("there are no rows to choose from", expected="a pipeline that begins with a source")
    known = {**known_methods(), **{method.name: method for method in methods}}
    named = {arm.name for arm in arms}
    arms += [
        arm
        for arm in arms_of(methods, known, budget=budget, balance=balance, has_teacher=teacher is not None)
        if arm.name not in named
    ]
    if len(arms) < 2:
        raise UsageError("there is nothing to compare", got=", ".join(arm.name for arm in arms) or "no method")
    if not seeds or len(set(seeds)) != len(seeds):
        raise UsageError("each seed is named once, and one at least", got=", ".join(map(str, seeds)) or "none")
    for arm in arms:
        said = config.model_fields_set & arm.method.train.keys()
        other = [name for name in sorted(said) if getattr(config, name) != arm.method.train[name]]
        if other:
            noted(f"{arm.name} says {', '.join(other)} itself: what is given for all arms does not count for it")
    folder = ComparisonFolder(user_path(Path(output_dir)))
    about = {
        "model": config.model,
        "held_out": str(held_out),
        "pool": [{step.name: step.shown_settings()} for step in pool],
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
    evaluator = Evaluator(
        prepare_held_out(
            str(user_path(Path(held_out))),
            config,
            turns=turns,
            stages=stages,
            notice=noted,
            evaluators=evaluators,
        ),
        config,
        stages,
    )
    workshop = Workshop(
        pool=Pool(tuple(pool), str(held_out), cache if isinstance(cache, bool) else Path(cache)),
        config=config,
        sequence=InSequence(task_column, parts),
        teacher=teacher,
        stages=stages,
        notice=noted,
    )
    with folder.claimed(identity):
        check_replaceable(folder.path)
        base = base_cell(evaluator, folder)
        cells, budget_of_tokens = run_arms(
            Comparing(arms, seeds, tokens), workshop, evaluator, folder, told=told or (lambda _cell, _done, _all: None)
        )
        found = Comparison(
            folder=folder.path,
            arms=arms,
            cells=cells,
            judgements=[judge(arms, cells, base, metric) for metric in evaluator.metrics],
            seeds=seeds,
            tokens=budget_of_tokens,
            rows=len(evaluator.held_out.row_ids),
            about=about,
            notices=notices,
        )
        write_comparison(found, notice=noted)
    return replace(found, notices=tuple(notices))
