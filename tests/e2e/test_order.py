"""Training order from every door: command line, spec, Python, `top`, and the trainer, which keeps it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from programs import Program

import sage_select
from sage_select import Pipeline, UsageError
from sage_select.cli import select
from sage_select.orders import ORDERS

N = 60
#: The rules with what they must be told.
RULES = {name: ["--order", name, *(["--order-by", "kind"] if name == "interleave" else [])] for name in ORDERS}
RANDOM = ["rows.jsonl", "--id-column", "id", "--strategy", "random", "--score-column", "loss"]


@pytest.fixture
def top(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return `sage-select top`."""
    return Program("sage-select top", select.main, capsys, monkeypatch)


@pytest.fixture(autouse=True)
def rows(folder: Path) -> list[dict[str, Any]]:
    made = [
        {"id": f"q{i}", "text": f"number {i} of {i % 9} {'and more ' * (i % 4)}", "kind": "aab"[i % 3], "loss": i % 11}
        for i in range(N)
    ]
    made[7]["kind"] = None
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return made


def table(path: Path) -> pa.Table:
    return pa.ipc.open_file(path).read_all()


@pytest.mark.parametrize("name", RULES)
def test_every_door_leads_to_the_same_order(name: str, folder: Path, build: Program) -> None:
    options = {"order": name} | ({"order_by": "kind"} if name == "interleave" else {})
    built = build(*RANDOM, "-k", "40", *RULES[name], "--json").json
    found = table(folder / "out.arrow")
    assert found["sage_position"].to_pylist() == list(range(40))
    assert found["sage_phase"].type == pa.int32()
    assert (found["sage_phase"].null_count == 40) == (name not in ("competence", "self_paced"))
    (said,) = [step["order"] for step in built["manifest"]["spec"]["steps"] if "order" in step]
    assert said.items() >= options.items()
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl, id_column: id}\n  - score: {column: loss}\n"
        f"  - select: {{strategy: random, budget: 40}}\n  - order: {json.dumps(options)}\n"
        "  - sink: {path: spec.arrow}\n"
    )
    assert build("--spec", "sage.yaml").code == 0
    assert (folder / "spec.arrow").read_bytes() == (folder / "out.arrow").read_bytes()
    chosen = sage_select.select("rows.jsonl", id_column="id", strategy="random", scores="loss", k=40, **options)
    assert chosen.table().equals(found)
    assert [f"q{row}" for row in chosen.table_indices] == found["sage_row_id"].to_pylist()
    chain = Pipeline.read("rows.jsonl", id_column="id").score(column="loss").select("random", budget=40)
    named = chain.order(name, **{key: value for key, value in options.items() if key != "order"})
    assert named.run().table().equals(found)
    explained = next(line for line in named.explain().splitlines() if line.startswith("order "))
    assert ("keyed shuffle" if name == "random" else f"{name}: ") in explained
    assert explained in build(*RANDOM, "-k", "40", *RULES[name], "--explain").out
    assert Pipeline.load("sage.yaml").plan() == named.write(folder / "spec.arrow").plan().model_copy(
        update={"steps": (*named.plan().steps[:-1], Pipeline.load("sage.yaml").plan().steps[-1])}
    )
    assert build(*RANDOM, "-k", "40", *RULES[name], "--dry-run", "-o", "dry.arrow").code == 0


@pytest.mark.parametrize("name", RULES)
def test_top_is_what_a_smaller_build_is_or_says_why_not(name: str, folder: Path, build: Program, top: Program) -> None:
    assert build(*RANDOM, "-k", "40", *RULES[name], "-o", "large.arrow").code == 0
    assert build(*RANDOM, "-k", "15", *RULES[name], "-o", "small.arrow").code == 0
    done = top("large.arrow", "15", "-o", "top.arrow")
    if ORDERS[name].nested:
        assert done.code == 0, done.err
        assert (folder / "top.arrow").read_bytes() == (folder / "small.arrow").read_bytes()
    else:
        assert done.code == 2
        assert f"order '{name}' goes by all rows together" in done.err
        assert "build again with --budget 15" in done.err
    assert top("large.arrow", "40", "-o", "all.arrow").code == 0
    # In memory the rows are there to be ordered again.
    options = {"order": name} | ({"order_by": "kind"} if name == "interleave" else {})
    chosen = sage_select.select("rows.jsonl", id_column="id", strategy="random", scores="loss", k=40, **options)
    assert chosen.top(15).table().equals(table(folder / "small.arrow"))


def test_top_serves_scores_made_for_the_order_alone(folder: Path, build: Program, top: Program) -> None:
    common = ["rows.jsonl", "--strategy", "random", "--order", "hard_to_easy"]
    assert build(*common, "-k", "40", "-o", "large.arrow").code == 0
    assert build(*common, "-k", "9", "-o", "small.arrow").code == 0
    assert top("large.arrow", "9", "-o", "top.arrow").code == 0
    assert (folder / "top.arrow").read_bytes() == (folder / "small.arrow").read_bytes()


@pytest.mark.train
def test_top_serves_no_order_by_scores_whose_last_bits_depend_on_the_other_rows(
    build: Program, top: Program, tiny_model: Path
) -> None:
    common = ["rows.jsonl", "--strategy", "random", "--score-model", tiny_model, "--order", "easy_to_hard"]
    assert build(*common, "-k", "12").code == 0
    done = top("out.arrow", "5", "-o", "top.arrow")
    assert done.code == 2
    assert "scorer 'model' looks at these rows together" in done.err


def test_scores_for_the_order_alone_change_no_pick(folder: Path, build: Program) -> None:
    common = ["rows.jsonl", "--strategy", "diversity", "-k", "20"]
    assert build(*common, "-o", "plain.arrow").code == 0
    done = build(*common, "--order", "easy_to_hard", "-o", "ordered.arrow")
    assert "rows are scored by lexical difficulty" in done.err
    plain, ordered = table(folder / "plain.arrow"), table(folder / "ordered.arrow")
    assert plain["sage_score"].null_count == 20
    assert ordered["sage_score"].to_pylist() == sorted(ordered["sage_score"].to_pylist())
    names = ["sage_row_id", "sage_rank", "sage_gain"]
    assert plain.select(names).sort_by("sage_rank").equals(ordered.select(names).sort_by("sage_rank"))


def test_a_column_to_order_by_is_enough(folder: Path, build: Program) -> None:
    assert build(*RANDOM, *RULES["interleave"], "-o", "named.arrow").code == 0
    assert build(*RANDOM, "--order-by", "kind", "-o", "implied.arrow").code == 0
    assert (folder / "named.arrow").read_bytes() == (folder / "implied.arrow").read_bytes()
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - select: {}\n  - order: {order: interleave}\n"
    )
    done = build("--spec", "sage.yaml")
    assert done.code == 2
    assert (
        "sage.yaml:5:5: steps.2.order: order 'interleave' needs order_by, the column whose values take turns"
        in done.err
    )
    # An option given here takes the place of the rule of the spec.
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - order: {order: self_paced}\n"
    )
    assert "'kind' take turns" in build("--spec", "sage.yaml", "--order-by", "kind", "--explain").out
    assert "5 bands" in build("--spec", "sage.yaml", "--rounds", "5", "--explain").out


def test_which_end_is_hard_is_heeded(folder: Path, build: Program, rows: list[dict[str, Any]]) -> None:
    for end, falling in (("--higher-is-harder", False), ("--lower-is-harder", True)):
        assert build(*RANDOM, "--order", "easy_to_hard", end, "-k", "30", "--force").code == 0
        losses = table(folder / "out.arrow")["loss"].to_pylist()
        assert losses == sorted(losses, reverse=falling)


def test_what_cannot_be_meant_is_refused(folder: Path, build: Program) -> None:
    cases = {
        ("--order", "easy_to_hrad"): "unknown order 'easy_to_hrad'.*did you mean 'easy_to_hard'",
        ("--order", "interleave"): "order 'interleave' needs --order-by, the column whose values take turns",
        ("--order", "length", "--order-by", "kind"): "order 'length' does not use --order-by; interleave does",
        ("--order", "interleave", "--order-by", "kin"): "no column 'kin'",
        ("--order", "interleave", "--order-by", "loss", "--rounds", "2"): "does not use --rounds; self_paced does",
        ("--order", "self_paced", "--rounds", "0"): "at least 1",
        ("--order", "competence", "--full-competence-at", "0"): "more than 0",
        ("--order", "length", "--length-first", "middle"): "'shortest' or 'longest'",
    }
    for arguments, said in cases.items():
        done = build("rows.jsonl", *arguments)
        assert done.code == 2, (arguments, done.err)
        assert re.search(said, done.err, flags=re.DOTALL), (arguments, done.err)
    assert not (folder / "out.arrow").exists()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_column_that_is_not_there_is_refused_before_vectors_are_made(
    dry: list[str], build: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.stages import Embed

    monkeypatch.setattr(Embed, "run", lambda *_: pytest.fail("vectors were made"))
    done = build("rows.jsonl", "--strategy", "diversity", "--order", "interleave", "--order-by", "kin", *dry)
    assert done.code == 2
    assert "there is no column 'kin'" in done.err


def test_a_column_may_come_late_in_a_large_file(folder: Path, build: Program) -> None:
    lines = [
        json.dumps({"text": f"row {row} {'and more ' * 9}"} | ({"kind": "b"} if row > 9_000 else {}))
        for row in range(12_000)
    ]
    (folder / "late.jsonl").write_text("\n".join(lines))
    assert (folder / "late.jsonl").stat().st_size > 1 << 20
    build_late = ["late.jsonl", "--strategy", "random", "-k", "50", "--order-by", "kind"]
    assert build(*build_late, "--dry-run").code == 0
    assert build(*build_late).code == 0
    kinds = table(folder / "out.arrow")["kind"].to_pylist()
    assert set(kinds) == {None, "b"}
    had = kinds[:25].count("b")
    assert abs(had - kinds.count("b") / 2) < 1


def test_one_order_and_none_that_is_undone() -> None:
    chain = Pipeline.read("rows.jsonl").score(column="loss")
    with pytest.raises(UsageError, match="order comes after order and orders the rows anew"):
        chain.select("random").order("length").order("easy_to_hard").plan()
    for name, more in (("self_paced", {}), ("competence", {}), ("interleave", {"order_by": "kind"})):
        with pytest.raises(UsageError, match=f"select comes after order '{name}', which holds for all rows together"):
            chain.order(name, **more).select("random").plan()
    first = chain.order("easy_to_hard").select("random", budget=20).run()
    last = chain.select("random", budget=20).order("easy_to_hard").run()
    assert first.table().equals(last.table())
    # What does nothing undoes nothing.
    chain.order("self_paced").dedup("none").plan()


def test_arrays_alone_have_an_order() -> None:
    chosen = sage_select.select(scores=[3.0, 1.0, 2.0, 0.0], k=3, strategy="loss_topk", order="easy_to_hard")
    assert chosen.indices.tolist() == [0, 2, 1]
    assert chosen.table_indices.tolist() == [1, 2, 0]
    assert chosen.table()["sage_position"].to_pylist() == [0, 1, 2]
    lengths = sage_select.select(
        scores=[3.0, 1.0, 2.0], lengths=[5, 9, 1], k=3, strategy="loss_topk", order="length", length_first="longest"
    )
    assert lengths.table_indices.tolist() == [1, 0, 2]
    with pytest.raises(UsageError, match="goes by a column of the rows"):
        sage_select.select(scores=[3.0, 1.0], k=1, strategy="loss_topk", order="interleave", order_by="kind")
    with pytest.raises(UsageError, match="order 'self_paced' needs scores"):
        sage_select.select(embeddings=[[1.0, 0.0], [0.0, 1.0]], k=1, strategy="random", order="self_paced")
    with pytest.raises(sage_select.DataError, match="row 1: a score must be a finite number"):
        sage_select.select(scores=[3.0, float("nan"), 1.0], k=1, strategy="random", order="easy_to_hard")


def test_nothing_selected_is_nothing_ordered(folder: Path, build: Program) -> None:
    for name, arguments in RULES.items():
        assert build(*RANDOM, "-k", "0", *arguments, "-o", f"{name}.arrow").code == 0
        assert table(folder / f"{name}.arrow").num_rows == 0


@pytest.mark.train
@pytest.mark.parametrize("name", ["easy_to_hard", "interleave", "self_paced"])
def test_rows_are_trained_in_their_order(
    name: str, folder: Path, build: Program, sage_train: Program, tiny_model: Path
) -> None:
    assert build(*RANDOM, "-k", "12", *RULES[name]).code == 0
    result = sage_train(
        *("--selection", "out.arrow", "--model", tiny_model, "--epochs", 2, "--batch-size", 2),
        *("--gradient-accumulation", 2, "--lora-r", 2, "--output-dir", "run", "--json"),
    ).json
    assert result["rows"]["rows_trained"] == 12
    lines = (folder / "run" / "logs" / "consumed.jsonl").read_text().splitlines()
    consumed = [row for line in lines for row in json.loads(line)["rows"]]
    planned = table(folder / "out.arrow")
    assert consumed == planned["sage_row_id"].to_pylist() * 2
    if name == "easy_to_hard":
        losses = dict(zip(planned["sage_row_id"].to_pylist(), planned["loss"].to_pylist(), strict=True))
        assert [losses[row] for row in consumed[:12]] == sorted(losses.values())


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("t0_p3/cap50.jsonl.gz", "dataset"),
        ("clinc150/train_imbalanced.parquet", "intent"),
        ("gsm8k/train.jsonl.gz", None),
    ],
)
def test_real_rows(name: str, column: str | None, build: Program, shared_data: Path, folder: Path) -> None:
    common = [shared_data / name, "--strategy", "random", "-k", "700"]
    if column is not None:
        assert build(*common, "--order-by", column, "-o", "mixed.arrow").code == 0
        values = table(folder / "mixed.arrow")[column].dictionary_encode().combine_chunks().indices.to_numpy()
        had = np.cumsum(values[:, None] == np.arange(values.max() + 1), axis=0)
        gap = had * len(values) - np.arange(1, len(values) + 1)[:, None] * had[-1]
        assert np.abs(gap).max() < len(values)
    assert build(*common, "--order", "competence", "-o", "drawn.arrow").code == 0
    found = table(folder / "drawn.arrow")
    scores, phases = (found[name].to_numpy() for name in ("sage_score", "sage_phase"))
    assert np.bincount(phases).tolist() == [88, 87, 88, 87, 350]
    means = [scores[phases == phase].mean() for phase in range(5)]
    assert means == sorted(means)
