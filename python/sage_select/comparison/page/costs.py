"""What each arm took, and what its teacher took before it."""

from __future__ import annotations

from sage_select.comparison.arms import Arm
from sage_select.comparison.page.words import called
from sage_select.comparison.result import Comparison, Took
from sage_select.report.blocks import Absent, Block, Section, Table, Text

__all__ = ["costs"]


def costs(found: Comparison) -> Section:
    """Return what each arm took."""
    lead = "What the rows, the training and the evaluation of an arm cost: means over its seeds."
    took = {arm.name: found.took(arm.name) for arm in found.arms}
    rows = [(called(name), *_cells(one)) for name, one in took.items() if one is not None]
    if not rows:
        return Section("What each arm took", lead, [Absent("what the arms took", "every arm failed")])
    blocks: list[Block] = [
        Table(
            ("arm", "rows", "tokens", "steps", "select, s", "train, s", "evaluate, s", "memory, GB"),
            rows,
            "Seconds of the clock, and the most memory while an arm was trained: of the GPU where there is one, else "
            "of the process. A dash is not known. Seconds of a busy machine say little.",
            frozenset(range(1, 8)),
            wide=True,
        )
    ]
    taught = [arm for arm in found.arms if arm.method.teacher is not None]
    if taught:
        blocks.append(
            Table(
                ("arm", "teacher", "tokens of the teacher", "its training, s"),
                [(called(arm.name), *_teacher(arm, took)) for arm in taught],
                "What a teacher took before the arm that it teaches: it comes on top, and is not in the table above.",
                frozenset({2, 3}),
                cards=True,
            )
        )
    if found.failed:
        blocks.append(Text("Arms and seeds that failed are not in these means."))
    return Section("What each arm took", lead, blocks)


def _cells(one: Took) -> tuple[str, ...]:
    seconds = (one.select_seconds, one.train_seconds, one.evaluate_seconds)
    memory = None if one.memory_bytes is None else one.memory_bytes / 1e9
    return (
        *(_number(value, 0) for value in (one.rows, one.tokens, one.steps)),
        *(_number(value, 1) for value in seconds),
        _number(memory, 1),
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _teacher(arm: Arm, took: dict[str, Took | None]) -> tuple[str, ...]:
    if arm.teacher is None:
        return "a model that was there before", "not known", "not known"
    one = took.get(arm.teacher)
    if one is None:
        return called(arm.teacher), "failed", "failed"
    return called(arm.teacher), _number(one.tokens, 0), _number(one.train_seconds, 1)
