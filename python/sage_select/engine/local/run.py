"""Run a plan from its source to its sink."""

from __future__ import annotations

from dataclasses import replace

from sage_select import io
from sage_select.engine.base import Outcome, Recorder, Talk
from sage_select.engine.frame import Frame
from sage_select.engine.local.bad_rows import frame_of_usable
from sage_select.engine.local.dedup import without_exact_copies, without_near_copies
from sage_select.engine.local.embed import embed_rows
from sage_select.engine.local.evidence import compare_with_random
from sage_select.engine.local.inputs import input_digests
from sage_select.engine.local.limits import limit_rows
from sage_select.engine.local.queries import read_queries, with_query_rows, with_query_vectors
from sage_select.engine.local.result import found_result, write_result
from sage_select.engine.local.score import score_rows
from sage_select.engine.local.select import check_limits, select_rows
from sage_select.engine.local.source import frame_of, read_source, shape_options
from sage_select.io.target import preflight_output
from sage_select.ops import Dedup, Embed, Score, Select, Sink, Source
from sage_select.paths import user_path
from sage_select.plan import working_order
from sage_select.spec import Pipeline
from sage_select.strategies import Picks

__all__ = ["run"]


def run(
    plan: Pipeline,
    talk: Talk,
    *,
    force: bool = False,
    overwrite_foreign: bool = False,
    verify: bool = True,
    threads: int | None = None,
) -> Outcome:
    """Run a resolved pipeline and commit its output.

    Parameters
    ----------
    plan
        The pipeline, as `plan.resolve` returned it.
    talk
        Where notices and progress go.
    force, overwrite_foreign
        Replace an output of this program; with both, also a file or saved dataset that is none.
    verify
        Refuse inputs that are outputs of this program and have been changed since they were written.
    threads
        Threads to use; None for `SAGE_THREADS` or all cores. No result depends on it.

    Returns
    -------
    Outcome
        With `cached` set where the output was there already, made by this plan from these inputs.

    Raises
    ------
    SageError
        Whatever is wrong with the plan, the data, the output or the environment; nothing is left behind.
    """
    recorder = Recorder(talk)
    source, sink = plan.step(Source), plan.step(Sink)
    form = preflight_output(user_path(sink.path), plan.inputs(), force=force, overwrite_foreign=overwrite_foreign)
    rows = read_source(source, recorder, verify=verify)
    files = io.Beside()
    inputs = input_digests(plan, rows, files)
    found = found_result(plan, inputs, form, force=force, overwrite_foreign=overwrite_foreign)
    if found is not None:
        return found
    options = shape_options(source)
    frame = frame_of_usable(
        rows,
        options,
        source,
        recorder,
        lambda usable, said: frame_of(
            usable,
            options,
            source.id_column,
            said=said,
            dedup=plan.find(Dedup),
            queries=plan.step(Select).query_column,
        ),
    )
    frame, picks = _select(plan, replace(frame, files=files), recorder, threads, verify)
    metrics = compare_with_random(frame, picks, plan.step(Select).budget, plan.seed, recorder, threads)
    return write_result(
        plan, inputs, frame, picks, metrics, recorder.notices, force=force, overwrite_foreign=overwrite_foreign
    )


def _select(plan: Pipeline, frame: Frame, talk: Talk, threads: int | None, verify: bool) -> tuple[Frame, Picks]:
    select = plan.step(Select)
    frame = with_query_rows(limit_rows(frame, select, talk), select)
    # What cannot be kept is refused before hours of embedding, not after.
    check_limits(frame, select, plan.seed)
    score, embed, dedup = plan.find(Score), plan.find(Embed), plan.find(Dedup)
    for part in working_order(
        dedup,
        scores_given=score is not None and score.given,
        vectors_given=embed is not None and embed.given,
    ):
        if part == "score" and score is not None:
            frame = score_rows(frame, score, talk)
        elif part == "embed" and embed is not None:
            frame = read_queries(frame, select, embed, shape_options(plan.step(Source)), verify=verify)
            frame = embed_rows(frame, embed, select.metric, talk, threads)
        elif dedup is not None:
            if part == "exact copies":
                frame = without_exact_copies(frame, dedup)
            elif part == "near copies":
                frame = without_near_copies(frame, dedup, plan.seed, talk, threads)
            check_limits(frame, select, plan.seed)
    frame = with_query_vectors(frame, select)
    return frame, select_rows(frame, select, plan.seed, talk, threads)
