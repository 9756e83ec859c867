"""Which rows to select: the strategy, its budget, its options and the limits it must keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from sage_select import io
from sage_select.columns import Reason
from sage_select.data import Dataset, Selected
from sage_select.declare.option import Option
from sage_select.declare.settings import Choice
from sage_select.errors import DataError, UsageError, Where
from sage_select.kernels import Matrix, Metric
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.scorers import finite_scores
from sage_select.stages.embed import Embed
from sage_select.stages.inputs.labelled import context_of, labelled_rows, refuse_vectors_of_a_file
from sage_select.stages.inputs.limits import (
    Prepared,
    groups_given,
    groups_of_column,
    with_departures,
    with_lengths,
)
from sage_select.stages.inputs.named_rows import named_rows
from sage_select.stages.inputs.queries import Queries, query_vectors, read_queries
from sage_select.stages.inputs.usable_scores import GOES_ON
from sage_select.stages.source import Source
from sage_select.strategies import STRATEGIES, Constraints, Picks, Pool, Strategy, request_of
from sage_select.strategies.constraints import check_picks, verify_picks
from sage_select.strategies.context import with_context
from sage_select.strategies.pool import Context
from sage_select.values.budget import Budget
from sage_select.values.location import FilePath, ModelName
from sage_select.values.quota import Quota

__all__ = ["Select"]

#: Bytes of a word of a text, which is about a token.
_WORD_BYTES: Final = 6


@stage("select", place=50, effect="drops", chooses=True, keywords="named")
class Select(Stage):
    """Which rows to select.

    Attributes
    ----------
    strategy
        The rule that picks them.
    budget
        Rows (300), a share of those that are not excluded (10%), or tokens (200k tokens).
    clamp
        Take what there is where the budget, or the fewest of a quota, ask for more.
    quota
        A column, and the fewest and most rows of each of its values; or as even as can be.
    pin, exclude
        Files with one id a line: rows that are selected in any case, and rows that never are.
    preselected
        The same: rows that are labelled or selected already, which are not picked again, and count for diversity.
    tokenizer
        Whose tokens the length of a row is counted in (path or repository); words without one.
    """

    version: ClassVar[int] = 2

    strategy: Annotated[Strategy, Choice(STRATEGIES, "auto", "the rule that picks rows")]
    budget: Annotated[Budget, Option('rows (300), a share of them (10%) or tokens ("200k tokens")', short="-k")] = (
        Budget.parse("10%")
    )
    clamp: Annotated[
        bool, Option("take what there is where the budget or a quota asks for more", flag="--clamp/--no-clamp")
    ] = False
    quota: Annotated[
        Quota | None,
        Option(
            "at least and at most so many rows of each value of a column; without numbers as even as can be",
            metavar="COLUMN[=FEWEST:MOST]",
            switchable=True,
        ),
    ] = None
    pin: Annotated[
        FilePath, Option("rows to select in any case: a file with one id a line", metavar="FILE", switchable=True)
    ] = None
    exclude: Annotated[
        FilePath, Option("rows never to select: a file with one id a line", metavar="FILE", switchable=True)
    ] = None
    preselected: Annotated[
        FilePath,
        Option(
            "rows of the input that are labelled or selected already: a file with one id a line; none is picked again, "
            "and diversity picks rows unlike them",
            metavar="FILE",
            switchable=True,
        ),
    ] = None
    tokenizer: Annotated[
        ModelName,
        Option("whose tokens are counted, a model (path or repository)", default="words are counted", switchable=True),
    ] = None

    @property
    def constraints(self) -> Constraints:
        """What the selection is held to, beside the rows pinned and excluded."""
        return Constraints(self.budget, self.quota, self.clamp)

    def marks(self) -> frozenset[str]:
        """Return what it writes to the rows that it picks."""
        return frozenset({"rank", "gain", "reason"})

    def needs(self) -> frozenset[str]:
        """Return what every row has to have, for the strategy and for what it holds."""
        _, *held = self.strategy.members()
        return frozenset(self.strategy.needs()).union(*(getattr(member, "needs_always", ()) for member in held))

    @property
    def metric(self) -> str | None:
        """How the strategy compares vectors."""
        return getattr(self.strategy, "metric", None) if "vectors" in self.needs() else None

    @property
    def checks_scores(self) -> bool:
        """Whether every score goes to a kernel that refuses what is not finite."""
        return self.strategy.checks_scores

    def resolved(self, *, features: frozenset[str]) -> Select:
        """Return the selection with the strategy that this one stands for, once it is known whether there are scores.

        Raises
        ------
        UsageError
            If an option is set that this strategy does not use, or something is missing.
        """
        strategy = self.strategy.resolved(scored="scores" in features)
        return self if strategy is self.strategy else self.model_copy(update={"strategy": strategy})

    def resolved_because(self, resolved: Stage) -> str:
        """Return why the strategy became that of `resolved`, where that needs saying."""
        return self.strategy.resolved_because(resolved.strategy) if isinstance(resolved, Select) else ""

    def advice(self, earlier: Sequence[Stage]) -> str:
        """Return what the strategy advises, by where its scores come from."""
        return self.strategy.advice(of_words=_of_words(earlier))

    def untrained(self, rows: io.Rows) -> NDArray[np.bool_]:
        """Return the rows that are queries by a column."""
        column = getattr(self.strategy, "query_column", None)
        return super().untrained(rows) if column is None else io.truth_column(rows, column)

    def prepare(self, data: Dataset, run: Run) -> Dataset:
        """Look up the rows pinned, excluded and selected before, the groups of a quota, lengths and queries.

        Raises
        ------
        UsageError
            If a file or column is not there, an id names no row, or a query is pinned.
        DataError
            If a list of ids cannot be read, a row has no value to be counted by, or there is no query.
        """
        source = next(step for step in run.steps if isinstance(step, Source))
        prepared = named_rows(self, data, source, run)
        labelled = labelled_rows(run) if self.compares_labelled else None
        if labelled is not None:
            refuse_vectors_of_a_file(self, run, labelled)
            prepared.labelled = labelled.beside
        groups = run.given(self, "groups")
        if groups is not None:
            prepared.groups = groups_given(data, groups)
        elif self.quota is not None:
            prepared.groups = groups_of_column(data, self.quota.column)
        data = with_lengths(data, self, run)
        self._look_for(prepared, data, source, run)
        run.prepared[id(self)] = prepared
        return data

    def check(self, data: Dataset, run: Run) -> None:
        """Refuse limits that cannot be kept together, before any vector is made.

        Raises
        ------
        UsageError
            If they cannot: it says which two, by how much, and which rows have left.
        """
        try:
            request_of(self._pool(data, run), self.constraints)
        except UsageError as error:
            raise with_departures(error, data) from None

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows that are selected.

        Raises
        ------
        UsageError
            If the limits cannot all be kept, or the strategy lacks what it needs.
        """
        strategy = self.strategy.in_positions(data.position)
        step = self if strategy is self.strategy else self.model_copy(update={"strategy": strategy})
        with run.reporter.progress("selecting") as progress:
            vectors = {"queries": self._query_vectors(data, run), "context": self._context(data, run)}
            pool = self._pool(data, run, **vectors, progress=progress)
            try:
                picks = step.pick(pool)
            except DataError:
                # The kernel met a score that had not been looked at yet; the check tells all about it.
                if data.scores is not None:
                    finite_scores(data.scores.values, data, Where(file="scores"), hint=GOES_ON)
                raise
        if picks.scores is not None:
            data = data.with_feature("scores", picks.scores)
        if picks.notice:
            run.reporter.notice(picks.notice)
        return data.select(
            Selected(
                run.label(self),
                data,
                picks.indices,
                picks.gains,
                picks.reasons,
                picks.evidence,
                picks.regions,
                pool.excluded,
                pool.queries,
                pool.groups,
            )
        )

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a budget that is certainly too large, or a column that is not there, is refused."""
        if data.rows is not None and self.quota is not None:
            io.group_column(data.rows, self.quota.column)
        if data.rows is not None and (column := getattr(self.strategy, "query_column", None)) is not None:
            io.truth_column(data.rows, column)
        self.budget.rows(size.n, clamp=self.clamp or not size.exact)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the strategy, and of the lengths that a budget in tokens counts."""
        if "vectors" in self.needs() and not size.d:
            return None
        found = self.strategy.cost(dataclasses.replace(size, k=self._picks(size)))
        if found is None:
            return None
        picked = (size.row_bytes + 24) * self._picks(size)
        chosen = found.then(Cost(picked, size.seconds(copied=picked), picked))
        held = 8.0 * size.n
        if self.tokenizer is not None:
            return Cost(held, None, held).then(chosen)
        if self.budget.tokens is not None:
            return Cost(held, size.seconds(text=size.word_bytes * size.n), held).then(chosen)
        return chosen

    def size_after(self, size: Size) -> Size:
        """Return the size of the picks; of tokens it is a guess."""
        return dataclasses.replace(size, n=self._picks(size), exact=size.exact and self.budget.tokens is None)

    def _picks(self, size: Size) -> int:
        """Return how many rows are selected: all, where the budget asks for more than there are."""
        if self.budget.tokens is None:
            return self.budget.rows(size.n, clamp=True)
        return min(size.n, int(self.budget.tokens * _WORD_BYTES / max(size.word_bytes, 1.0)))

    def _look_for(self, prepared: Prepared, data: Dataset, source: Source, run: Run) -> None:
        """Add the queries, where the strategy looks for some."""
        column, path = getattr(self.strategy, "query_column", None), getattr(self.strategy, "queries", None)
        if column is not None:
            prepared.query_rows = _query_rows(prepared, data, column)
        elif path is not None:
            embed = next((step for step in reversed(_before(self, run)) if isinstance(step, Embed)), Embed.make())
            value = run.given(self, "queries")
            prepared.queries = read_queries(value, path, embed.encoder, source.shape_options, data, run)

    def _query_vectors(self, data: Dataset, run: Run) -> NDArray[Any] | None:
        prepared, matrix = run.prepared[id(self)], data.matrix
        if matrix is None:
            return None
        if len(prepared.query_rows):
            rows = matrix.take(data.positions(prepared.query_rows))
            return query_vectors(Queries("queries", vectors=rows), matrix)
        return None if prepared.queries is None else query_vectors(prepared.queries, matrix)

    @property
    def compares_labelled(self) -> bool:
        """Whether rows that are labelled already count for what is picked: not where all rows have to have scores."""
        return self.strategy.after_preselected and "scores" not in self.needs()

    def _context(self, data: Dataset, run: Run) -> Context | None:
        return context_of(run.prepared[id(self)].labelled, data, self.metric or "cosine")

    def _pool(self, data: Dataset, run: Run, **more: Any) -> Pool:
        prepared: Prepared = run.prepared[id(self)]
        matrix = data.matrix
        if matrix is not None and self.metric is not None and matrix.metric != self.metric and more:
            matrix = Matrix.from_array(
                matrix.take(np.arange(data.n)),
                metric=cast("Metric", self.metric),
                name=matrix.name,
                threads=run.threads,
            )
        return Pool(
            n=data.n,
            seed=run.seed,
            hashes=data.hashes,
            difficulty=None if data.scores is None else data.scores.difficulty,
            of_words=_of_words(_before(self, run)),
            matrix=matrix,
            predictions=data.feature("predictions"),
            pinned=data.positions(prepared.pinned),
            excluded=data.positions(
                np.union1d(np.union1d(prepared.excluded, prepared.query_rows), prepared.preselected)
            ),
            preselected=data.positions(prepared.preselected),
            groups=prepared.groups_of(data),
            lengths=None if self.budget.tokens is None else _lengths(data),
            label=data.label,
            has_ids=data.ids is not None,
            threads=run.threads,
            **more,
        )

    def pick(self, pool: Pool) -> Picks:
        """Pick rows of the pool: those pinned, then those of the strategy.

        Raises
        ------
        UsageError
            If the budget, the quota, and the rows pinned and excluded cannot all be kept, or the pool lacks scores or
            vectors the strategy needs.
        """
        strategy = self.strategy.resolved(scored=pool.difficulty is not None)
        request = request_of(pool, self.constraints)
        # What is wrong with picks is the fault of what another package adds, where the strategy holds such.
        rule = next((member for member in strategy.members() if member.package()), strategy)
        among, asked = (pool, request)
        if self.compares_labelled:
            among, asked = with_context(pool, request)
        picked = strategy.pick(asked, among)
        check_picks(picked, request, pool.n, rule)
        picks = Picks.without_gains(pool.pinned, Reason.PINNED).then(picked)
        verify_picks(pool, request, self.constraints, picks, rule)
        return picks

    def not_first_reason(self, n: int, k: int, facts: Mapping[str, Any]) -> str:
        """Return why a budget of `k` would not pick the first of these rows; empty where it would.

        Parameters
        ----------
        n, k, facts
            As of `Strategy.not_first_reason`.
        """
        if self.budget.tokens is not None:
            return "a smaller budget in tokens passes over other rows"
        if self.quota is not None and (self.quota.balanced or self.quota.minimum):
            return "a quota keeps room for the fewest rows of each value, which are others in a smaller budget"
        return self.strategy.not_first_reason(n, k, facts)

    def describe(self) -> str:
        """Return the strategy, the budget, the options that matter for it, and the limits."""
        counted = f" of {self.tokenizer}" if self.tokenizer else " (words)"
        budget = self.budget.describe() + (counted if self.budget.tokens is not None else "")
        return "; ".join([f"{self.strategy.name}, {budget}: {self.strategy.describe()}", *self._limits()])

    def _limits(self) -> list[str]:
        """Return what the selection must keep beside its budget."""
        quota = self.quota
        limits = []
        if quota is not None and quota.balanced:
            limits.append(f"the values of {quota.column!r} as even as can be")
        elif quota is not None:
            fewest = [f"at least {quota.minimum:,}"] if quota.minimum is not None else []
            most = [f"at most {quota.maximum:,}"] if quota.maximum is not None else []
            limits.append(f"{' and '.join(fewest + most)} rows of each {quota.column!r}")
        limits += [f"with the rows of {self.pin}"] if self.pin else []
        limits += [f"without those of {self.exclude}"] if self.exclude else []
        limits += [f"after those of {self.preselected}"] if self.preselected else []
        limits += ["or what there is"] if self.clamp else []
        return limits


def _before(stage: Stage, run: Run) -> list[Stage]:
    place = next(index for index, step in enumerate(run.steps) if step is stage)
    return list(run.steps[:place])


def _of_words(earlier: Sequence[Stage]) -> bool:
    """Return whether the scores that these stages give, if any, are those of the words alone."""
    scores = next((step for step in reversed(earlier) if "scores" in step.gives), None)
    return scores is not None and any(getattr(member, "of_words", False) for member in scores.members())


def _query_rows(prepared: Prepared, data: Dataset, column: str) -> NDArray[np.int64]:
    """Return the rows of the input that are queries by a column: they are not picked, and repeat no other."""
    if data.rows is None:
        raise UsageError("a column of queries needs rows with vectors", hint="pass data")
    rows = np.flatnonzero(io.truth_column(data.rows, column))
    if len(rows) == 0:
        raise DataError("no row is a query", where=data.rows.source, expected=f"column {column!r} true for some rows")
    both = np.intersect1d(data.positions(prepared.pinned), rows)
    if len(both):
        raise UsageError(
            "this row is pinned and a query, and queries are not picked",
            where=data.label(int(both[0])),
            expected=f"no pinned row with {column!r} true",
            hint="pin other rows, or take the value back",
        )
    return data.input_rows(rows)


def _lengths(data: Dataset) -> NDArray[np.int64]:
    if not data.has_lengths:
        raise UsageError("a budget in tokens needs rows", hint="pass data, or lengths as an array")
    return data.lengths.values
