"""Comparisons of real runs: what is trained and evaluated, what fails, what is changed, what goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.api import Pipeline
from sage_select.comparison import Comparison, compare
from sage_select.errors import OutputError, UsageError
from sage_select.methods import MethodSpec, known_methods, named_methods
from sage_select.stages import Source
from sage_select.train import TrainConfig

pytestmark = pytest.mark.train

WORDS = ("paris", "rome", "oslo", "bern", "kyiv", "riga")
TOKENS = 1500


def chat(number: int, word: str) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": f"what is the weather in {word} on day {number}?"},
            {"role": "assistant", "content": f"in {word} it is fine."},
        ],
        "week": ["one", "two"][number % 2],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("compare")
    rows = [chat(number, WORDS[number % len(WORDS)]) for number in range(60)]
    held_out = [chat(number + 1000, WORDS[number % len(WORDS)]) for number in range(12)]
    # One row to evaluate on is among those to choose from.
    for name, some in (("pool", [*rows, held_out[0]]), ("heldout", held_out)):
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    return place


def compared(
    folder: Path, tiny_model: Path, methods: Sequence[str | MethodSpec], output: Path, **options: Any
) -> Comparison:
    config = TrainConfig(
        model=str(tiny_model), batch_size=4, gradient_accumulation=1, lora_r=4, learning_rate=1e-2, max_length=128
    )
    known = known_methods()
    return compare(
        [one if isinstance(one, MethodSpec) else named_methods([one], known)[0] for one in methods],
        folder / "heldout.jsonl",
        config,
        pool=options.pop("pool", (Source.make(path=str(folder / "pool.jsonl")),)),
        output_dir=output,
        seeds=options.pop("seeds", (0,)),
        tokens=options.pop("tokens", TOKENS),
        evaluators="loss",
        budget="20",
        task_column="week",
        cache=False,
        **options,
    )


@pytest.fixture(scope="module")
def finished(folder: Path, tiny_model: Path) -> Comparison:
    """Return arms of every kind: plain, selected, in sequence with replay, taught, in rounds, and one that fails."""
    broken = MethodSpec.of("broken", {"summary": "x", "control": "none", "train": {"lora_target": "no_such_layer"}})
    return compared(folder, tiny_model, ["A", "B3", "C", "G", "J", broken], folder / "out", seeds=(0,))


def test_every_arm_consumes_as_many_tokens_and_is_evaluated_on_the_same_rows(finished: Comparison) -> None:
    arms = {arm.name for arm in finished.arms}
    assert arms == {
        "A_baseline",
        "B3_coreset_hybrid",
        "random_subset",
        "C_continual",
        "no_replay",
        "G_knowledge_distillation",
        "J_active_learning",
        "broken",
    }
    done = [cell for cell in finished.cells if cell.error is None]
    assert len(done) == 7
    for cell in done:
        assert abs(cell.tokens - TOKENS) <= 0.1 * TOKENS
        assert len(cell.metrics["loss"].row_ids) == 12
    assert len({cell.adapter_digest for cell in done}) == len(done)
    assert finished.judgements[0].base is not None
    assert finished.judgements[0].metric.name == "loss"


def test_no_arm_trains_on_a_row_that_is_evaluated(finished: Comparison, folder: Path) -> None:
    for path in (finished.folder / "arms").glob("*/seed-*/selection.arrow"):
        table = pa.ipc.open_file(path).read_all()
        assert not any("day 1000?" in json.dumps(row) for row in table["messages"].to_pylist())
        assert len(table) in (20, 60)


def test_rows_are_selected_in_rounds_by_what_was_learned_from_those_before(finished: Comparison) -> None:
    place = finished.folder / "arms" / "J_active_learning" / "seed-0"
    rounds = [place / f"round-{number}" for number in (1, 2, 3)] + [place]
    chosen = [set(pa.ipc.open_file(one / "selection.arrow").read_all()["sage_row_id"].to_pylist()) for one in rounds]
    assert [len(one) for one in chosen] == [5, 10, 15, 20]
    assert all(before < after for before, after in pairwise(chosen))
    plans = [json.loads((one / "selection.arrow.manifest.json").read_text())["spec"] for one in rounds]
    adapters = [step["score"].get("score_adapter") for plan in plans for step in plan["steps"] if "score" in step]
    assert adapters[0] is None
    assert [Path(one).parents[1].name for one in adapters[1:]] == ["round-1", "round-2", "round-3"]


def test_an_arm_that_fails_is_a_failed_cell_with_its_error(finished: Comparison) -> None:
    failed = {(cell.arm, cell.seed): cell.error for cell in finished.failed}
    assert set(failed) == {("broken", 0)}
    assert all("no_such_layer" in str(error) for error in failed.values())
    figures = finished.judgements[0].arms["broken"]
    assert (figures.values, figures.mean, figures.difference) == ({}, None, None)
    page = (finished.folder / "comparison.md").read_text()
    assert "- **broken**: failed" in page
    assert "no_such_layer" in page


def test_what_is_written_says_the_same(finished: Comparison) -> None:
    table = pa.ipc.open_file(finished.folder / "comparison.arrow").read_all().to_pylist()
    said = json.loads((finished.folder / "comparison.json").read_text())
    for row in table:
        if row["metric"] == "loss" and row["error"] is None:
            (metric,) = [one for one in said["metrics"] if one["name"] == "loss"]
            assert metric["arms"][row["arm"]]["values"][str(row["seed"])] == row["value"]
    assert {row["arm"] for row in table} == {arm["name"] for arm in said["arms"]}


def test_a_comparison_that_is_called_again_trains_nothing_and_says_the_same(
    finished: Comparison, folder: Path, tiny_model: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished.folder / "arms").rglob("adapter_model.safetensors")}
    said = [(finished.folder / name).read_bytes() for name in ("comparison.md", "comparison.json", "comparison.arrow")]
    broken = MethodSpec.of("broken", {"summary": "x", "control": "none", "train": {"lora_target": "no_such_layer"}})
    compared(folder, tiny_model, ["A", "B3", "C", "G", "J", broken], finished.folder, seeds=(0,))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [
        (finished.folder / name).read_bytes() for name in ("comparison.md", "comparison.json", "comparison.arrow")
    ] == said


def test_another_comparison_does_not_go_into_the_folder(finished: Comparison, folder: Path, tiny_model: Path) -> None:
    with pytest.raises(OutputError, match="another comparison") as caught:
        compared(folder, tiny_model, ["A", "B3"], finished.folder, seeds=(0,), tokens=900)
    assert "tokens 900" in str(caught.value)


def test_an_adapter_that_was_changed_is_refused(
    finished: Comparison, folder: Path, tiny_model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished.folder, copy)
    weights = copy / "arms" / "random_subset" / "seed-0" / "run" / "lora_weights" / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    found = compared(folder, tiny_model, ["A", "B3"], copy, seeds=(0,))
    (cell,) = found.failed
    assert (cell.arm, cell.seed) == ("random_subset", 0)
    assert "the adapter is not the one that was trained" in str(cell.error)
    assert found.judgements[0].arms["random_subset"].values == {}
    assert found.judgements[0].arms["B3_coreset_hybrid"].why_none is not None


def test_a_selection_is_compared_with_random_rows_of_where_it_came_from(
    folder: Path, tiny_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.arrow"
    Pipeline.read(folder / "pool.jsonl").select("hybrid", budget=20).write(output).run(cache=False)
    found = compared(folder, tiny_model, [], tmp_path / "out", selection=output, pool=(), tokens=400)
    assert [(arm.name, arm.control) for arm in found.arms] == [("random_subset", None), ("selection", "random_subset")]
    own, drawn = (
        pa.ipc.open_file(tmp_path / "out" / "arms" / name / "seed-0" / "selection.arrow").read_all()
        for name in ("selection", "random_subset")
    )
    chosen = pa.ipc.open_file(output).read_all()["sage_row_id"].to_pylist()
    kept = own["sage_row_id"].to_pylist()
    assert kept == [one for one in chosen if one in kept]
    assert len(kept) in (19, 20)
    assert len(drawn) == 20
    assert found.verdict(found.arms[1]).endswith(("p = 1)", ")"))


def test_one_arm_alone_is_nothing_to_compare(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        compared(folder, tiny_model, ["A"], tmp_path / "out")


def test_a_sequence_trains_the_columns_that_were_named(tiny_model: Path, tmp_path: Path) -> None:
    rows = [
        {"frage": f"what is {number}", "antwort": "it is fine", "text": "a b c d e f g " * 4, "week": str(number % 2)}
        for number in range(12)
    ]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"prompt": f"what is {number}", "completion": "it is fine"} for number in range(100, 112)]
    (tmp_path / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    columns = {"prompt_column": "frage", "completion_column": "antwort"}
    config = TrainConfig(model=str(tiny_model), batch_size=4, gradient_accumulation=1, lora_r=4)
    found = compare(
        [MethodSpec.of("stream", {"summary": "x", "sequence": True, "control": "plain"})],
        tmp_path / "heldout.jsonl",
        config,
        pool=(Source.make(path=str(tmp_path / "pool.jsonl"), **columns),),
        output_dir=tmp_path / "out",
        seeds=(0,),
        tokens=300,
        evaluators="loss",
        task_column="week",
        cache=False,
    )
    assert not found.failed
    assert not [text for text in found.notices if "read as text" in text]
    runs = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("arms/stream/seed-0/run-*/run.json")]
    assert [one["result"]["rows"]["rows_trained"] for one in runs] == [6, 6]
