"""Rows with a teacher's answers: what is asked, what is kept, what is dropped and why, and how it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kills import killed_at_each_operation
from programs import Program
from taught_model import make_taught_model

from sage_select import io
from sage_select.errors import DataError, OutputError, UsageError
from sage_select.train import TrainConfig, train

pytestmark = pytest.mark.train

TOOLS = [{"type": "function", "function": {"name": "find"}}]
CALL = {"type": "function", "function": {"name": "find", "arguments": {"city": "paris"}}}
OTHER = {"type": "function", "function": {"name": "book", "arguments": {}}}
#: What the teacher is asked -> what it has learned to say.
LEARNED: dict[str, dict[str, Any]] = {
    "find table": {"content": "hotel paris"},
    "find city": {"content": "at the weather, please"},
    "find day": {"content": "two\n done  ok"},
    "call": {"content": "", "tool_calls": [CALL]},
    "call with words": {"content": "sure", "tool_calls": [CALL]},
    "call another": {"content": "", "tool_calls": [OTHER]},
    "tear": {"content": '<tool_call>{"name": "sea'},
    "never end": {"content": "which day " * 32},
}


#: Turns that the teacher answers with the weather.
TURNS = [
    {"role": "system", "content": "please"},
    {"role": "user", "content": "book"},
    {"role": "assistant", "content": "done"},
    {"role": "user", "content": "tomorrow"},
]


def asked(words: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": words}, {"role": "assistant", **answer}]


@pytest.fixture(scope="module")
def teacher(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("trl")
    import torch

    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = [{"messages": asked(*one), "tools": TOOLS} for one in LEARNED.items()]
    rows.append({"messages": [*TURNS, {"role": "assistant", "content": "weather"}], "tools": TOOLS})
    rows.append({"messages": asked("find table", {"content": "hotel paris"})})
    return make_taught_model(tiny_model, tmp_path_factory.mktemp("teacher"), rows)


def selection(*asked_for: str, **columns: list[Any]) -> pa.Table:
    """Return rows in the form of a build, trained in the order of the file."""
    rows = [
        {"messages": asked(words, {"content": f"old {at}"}), "tools": TOOLS, "sage_row_id": f"row-{at}"}
        for at, words in enumerate(asked_for)
    ]
    table = io.from_object(rows).table
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return table


@pytest.fixture
def taught(teacher: Path, tmp_path: Path) -> Callable[..., Any]:
    def go(rows: Any, name: str = "taught.arrow", *, settings: dict[str, Any] | None = None, **options: Any) -> Any:
        from sage_select.teaching.write import teacher_outputs

        config = TrainConfig(**{"model": str(teacher), "batch_size": 3, **(settings or {})})
        return teacher_outputs(rows, tmp_path / name, config, **{"max_new_tokens": 80, **options})

    return go


def values(path: Path) -> list[dict[str, Any]]:
    return list(io.decode_rows(io.open_output(path)[0].table))


def test_rows_have_the_answers_of_the_teacher_and_all_else_as_it_was(
    taught: Callable[..., Any], teacher: Path, tmp_path: Path
) -> None:
    rows = selection(*LEARNED, "find table", sage_score=[0.5] * 9, note=[f"n{at}" for at in range(9)])
    notices: list[str] = []
    result = taught(rows, notice=notices.append)
    reasons = {one.row_id: one.reason for one in result.dropped}
    assert reasons == {
        "row-5": "the teacher calls a tool that the row does not offer",
        "row-6": "the teacher calls a tool in a way that cannot be read",
        "row-7": "the teacher does not come to an end within 80 tokens",
    }
    assert any(text.startswith("dropped: 3 rows of 9: ") for text in notices)
    found = values(tmp_path / "taught.arrow")
    assert (result.rows_in, result.rows, len(found)) == (9, 6, 6)
    answers = [*list(LEARNED.values())[:5], LEARNED["find table"]]
    for row, number, answer in zip(found, [0, 1, 2, 3, 4, 8], answers, strict=True):
        question, said = row["messages"]
        assert question["content"] == rows["messages"][number].as_py()[0]["content"]
        assert said == {"role": "assistant", **answer}
        assert row["note"] == f"n{number}"
        assert (row["sage_row_id"], row["sage_parent_id"]) == (f"row-{number}+taught1", f"row-{number}")
        assert (row["sage_origin"], row.get("sage_score")) == ("taught", None)
    # A student learns just what was said.
    from sage_select.train.base_model import open_renderer
    from sage_select.train.data import tokenise
    from sage_select.train.selection import load_selection

    config = TrainConfig(model=str(teacher))
    renderer = open_renderer(config)
    tokens = tokenise(load_selection(tmp_path / "taught.arrow", config), renderer)
    report = pq.read_table(tmp_path / "taught.arrow.rows.parquet").filter(pa.compute.field("kept"))
    for labels, text in zip(tokens.table["labels"].to_pylist(), report["answer"].to_pylist(), strict=True):
        assert renderer.tokenizer.decode([one for one in labels if one != -100]) == text
    notices.clear()
    run = train(
        tmp_path / "taught.arrow",
        TrainConfig(model=str(teacher), output_dir=tmp_path / "run", max_steps=1, lora_r=2),
        notice=notices.append,
    )
    assert (run.steps, run.rows["rows_trained"]) == (1, 6)
    assert not any("manifest" in text for text in notices)


@pytest.mark.parametrize("shape", ["prompt", "completion messages", "sharegpt", "instruction", "question", "json text"])
def test_every_shape_keeps_its_own_form(shape: str, taught: Callable[..., Any], tmp_path: Path) -> None:
    words, new = "find table", "hotel paris"
    turns = [{"role": "system", "content": "ok"}, *asked(words, {"content": "old"})]
    rows, read = {
        "prompt": ({"prompt": words, "completion": "old"}, lambda row: row["completion"]),
        "completion messages": (
            {"prompt": turns[1:2], "completion": turns[2:]},
            lambda row: row["completion"][0]["content"],
        ),
        "sharegpt": (
            {"conversations": [{"from": "human", "value": words}, {"from": "gpt", "value": "old"}]},
            lambda row: row["conversations"][1]["value"],
        ),
        "instruction": ({"instruction": words, "output": "old"}, lambda row: row["output"]),
        "question": ({"question": words, "answer": "[1]"}, lambda row: row["answer"]),
        "json text": (
            {"messages": json.dumps(asked(words, {"content": "old"}))},
            lambda row: json.loads(row["messages"])[1]["content"],
        ),
    }[shape]
    taught([{**rows, "id": 7}])
    [row] = values(tmp_path / "taught.arrow")
    assert read(row) == new
    assert row["id"] == 7
    column = next(reversed(rows))
    assert row.keys() >= rows.keys()
    assert all(row[name] == rows[name] for name in rows if name != column)
    assert row["sage_parent_id"]
    assert row["sage_row_id"] == f"{row['sage_parent_id']}+taught1"


def test_rows_without_an_answer_get_one(taught: Callable[..., Any], tmp_path: Path) -> None:
    taught([{"prompt": "find table", "completion": None}, {"prompt": "find table", "completion": " "}])
    rows = values(tmp_path / "taught.arrow")
    assert [row["completion"] for row in rows] == ["hotel paris", "hotel paris"]
    assert len({row["sage_row_id"] for row in rows}) == 2


def test_of_a_conversation_the_last_trained_answer_is_replaced(taught: Callable[..., Any], tmp_path: Path) -> None:
    turns = [
        *TURNS,
        {"role": "assistant", "content": "sure", "tool_calls": [CALL], "weight": 1},
        {"role": "user", "content": "which"},
        {"role": "assistant", "content": "none", "weight": 0},
    ]
    results = [*turns[:5], {"role": "tool", "content": "sunny"}]
    rows = [{"messages": one, "tools": TOOLS, "sage_row_id": name} for name, one in (("a", turns), ("b", results))]
    rows.append({"messages": turns[:2], "tools": TOOLS, "sage_row_id": "c"})
    result = taught(rows)
    reasons = {one.row_id: one.reason for one in result.dropped}
    assert "results of tools follow" in reasons["b"]
    assert "no answer of the assistant" in reasons["c"]
    [row] = values(tmp_path / "taught.arrow")
    before, after = (
        [[turn.get(name) for name in ("role", "content", "weight")] for turn in one] for one in (turns, row["messages"])
    )
    assert before[:4] + before[5:] == after[:4] + after[5:]
    assert after[4] == ["assistant", "weather", 1]
    assert "tool_calls" not in row["messages"][4]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_what_was_stopped_goes_on_and_ends_with_the_same_bytes(
    taught: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.teaching.teacher import Teacher

    rows = selection(*list(LEARNED)[:7])
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    taught(rows, "whole/taught.arrow", temperature=0.5, seed=3)
    own, notices = Teacher.answers, []
    for batches in (0, 1, 1):
        left = iter(range(batches))

        def answers(self: Any, *asked: Any, left: Iterator[int] = left) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return own(self, *asked)

        monkeypatch.setattr(Teacher, "answers", answers)
        with pytest.raises(KeyboardInterrupt):
            taught(rows, "parts/taught.arrow", temperature=0.5, seed=3, notice=notices.append)
        monkeypatch.undo()
        assert "the same call goes on" in notices[-1]
        assert not (tmp_path / "parts" / "taught.arrow").exists()
    # What a process wrote that was killed in the middle of a batch.
    with (tmp_path / "parts" / ".taught.arrow.part").open("ab") as part:
        part.write(b"half of a message")
    result = taught(rows, "parts/taught.arrow", temperature=0.5, seed=3, notice=notices.append)
    assert (result.cached, result.resumed_from) == (False, 6)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    again = taught(rows, "parts/taught.arrow", temperature=0.5, seed=3)
    assert (again.cached, again.dropped, again.tokens) == (True, result.dropped, result.tokens)


def test_killed_at_any_moment_it_ends_with_the_same_bytes(taught: Callable[..., Any], tmp_path: Path) -> None:
    rows = selection("find table", "call", "tear", "find city")

    def folders() -> Iterator[Path]:
        for number in range(1000):
            (tmp_path / f"{number}").mkdir()
            yield tmp_path / f"{number}"

    def work(folder: Path) -> None:
        taught(rows, f"{folder.name}/taught.arrow")

    (tmp_path / "whole").mkdir()
    work(tmp_path / "whole")
    whole = files(tmp_path / "whole")
    assert whole.keys() == {"taught.arrow", "taught.arrow.manifest.json", "taught.arrow.rows.parquet"}
    killed = 0
    for folder in killed_at_each_operation(work, folders(), named=str(tmp_path), step=11):
        killed += 1
        work(folder)
        assert files(folder) == whole
        shutil.rmtree(folder)
    assert killed > 3


def test_an_answer_depends_on_its_row_alone(taught: Callable[..., Any], tmp_path: Path) -> None:
    rows = selection("never end", "find table", "which", "find city", "none")

    def answers(table: pa.Table, **options: Any) -> dict[str, Any]:
        taught(table, max_new_tokens=100, temperature=2.0, force=True, **options)
        report = pq.read_table(tmp_path / "taught.arrow.rows.parquet")
        return dict(zip(report["sage_row_id"].to_pylist(), report["answer"].to_pylist(), strict=True))

    found = answers(rows)
    assert answers(rows.take([4, 0, 3, 2, 1])) == found
    assert answers(rows, settings={"batch_size": 1}) == found
    some = answers(rows.take([1, 3, 4]))
    assert some == {name: found[name] for name in some}
    assert answers(rows, seed=1) != found


def test_rows_in_another_order_go_on_with_their_own_answers(
    taught: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.teaching.teacher import Teacher

    rows = selection("find table", "find city", "call", "find day", "find table")
    own, left = Teacher.answers, iter(range(1))

    def answers(self: Any, *asked: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return own(self, *asked)

    monkeypatch.setattr(Teacher, "answers", answers)
    with pytest.raises(KeyboardInterrupt):
        taught(rows)
    monkeypatch.undo()
    turned = rows.take([3, 4, 0, 2, 1])
    assert taught(turned).resumed_from == 3
    questions = [one.as_py()[0]["content"] for one in turned["messages"]]
    for row, question in zip(values(tmp_path / "taught.arrow"), questions, strict=True):
        assert row["messages"] == asked(question, LEARNED[question])


def test_what_cannot_be_used_is_refused(taught: Callable[..., Any], teacher: Path, tmp_path: Path) -> None:
    rows = selection(*LEARNED)
    file = tmp_path / "rows.parquet"
    pq.write_table(rows, file)
    before = file.read_bytes()
    for force in (False, True):
        with pytest.raises(OutputError, match="something else than teacher outputs"):
            taught(rows, "rows.parquet", force=force)
        with pytest.raises(UsageError, match="take the place of an input"):
            taught(file, "rows.parquet", force=force)
    assert file.read_bytes() == before
    with pytest.raises(UsageError, match="plain text have no answer"):
        taught([{"text": "once"}])
    with pytest.raises(UsageError, match="no room for a prompt"):
        taught(rows, max_new_tokens=512)
    with pytest.raises(DataError, match=r"3 of 8 rows have no answer(.|\n)*more than --max-dropped 30%"):
        taught(rows, settings={"max_dropped": 0.3})
    with pytest.raises(DataError, match=r"no row has an answer(.|\n)*2 x the teacher does not come to an end"):
        taught(selection("never end", "never end"), "none.arrow", max_new_tokens=8)
    with pytest.raises(DataError, match="1 x message # has no role"):
        taught([{"messages": [{"content": "x"}]}])
    assert not (tmp_path / "taught.arrow").exists()
    # What was written before more was allowed is not asked for again.
    assert taught(rows, settings={"max_dropped": 0.5}).resumed_from == 8
    assert taught(rows).cached
    with pytest.raises(DataError, match="more than --max-dropped 30%"):
        taught(rows, settings={"max_dropped": 0.3})
    with pytest.raises(OutputError, match=r"something else(.|\n)*max_new_tokens: 80 there, 81 asked for"):
        taught(rows, max_new_tokens=81)
    assert taught(rows, max_new_tokens=81, force=True).rows == 5
    whole = (tmp_path / "taught.arrow").read_bytes()
    (tmp_path / "taught.arrow").write_bytes(whole.replace(b"hotel paris", b"hotel Paris"))
    with pytest.raises(DataError, match="changed or damaged"):
        train(tmp_path / "taught.arrow", TrainConfig(model=str(teacher), output_dir=tmp_path / "run"))


def test_the_command_says_what_became_of_the_rows(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.cli.train import main

    program = Program("sage-train", main, capsys, monkeypatch)
    monkeypatch.chdir(tmp_path)
    pq.write_table(selection("find table", "tear"), "rows.parquet")
    command = ["teacher-outputs", "--selection", "rows.parquet", "--model", teacher, "--max-new-tokens", 40]
    assert program(*command).code == 2
    hot = program(*command, "--output", "taught.arrow", "--temperature", 6)
    assert (hot.code, "a temperature is 0 to 5" in hot.err) == (2, True)
    unused = program(*command, "--output", "taught.arrow", "--seed", 1)
    assert (unused.code, "nothing is drawn" in unused.err) == (2, True)
    done = program(*command, "--output", "taught.arrow", "--json").json
    assert (done["rows_in"], done["rows"], done["cached"]) == (2, 1, False)
    assert [one["row_id"] for one in done["dropped"]] == ["row-1"]
    said = program(*command, "--output", "taught.arrow")
    assert (said.code, "taught before" in said.err + said.out) == (0, True)
    stopped = program(*command, "--output", "other.jsonl", "--max-dropped", "10%")
    assert (stopped.code, "more than --max-dropped 10%" in stopped.err) == (3, True)
    assert program(*command, "--output", "other.jsonl").code == 0
    assert json.loads(Path("other.jsonl").read_text())["messages"][1]["content"] == "hotel paris"
