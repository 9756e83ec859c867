"""Cases of BFCL: files are read and written as published, rows are made from cases and back, faults have a place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import DataError, OutputError, ResourceError, SageError, UsageError
from sage_select.evaluate import ToolCall
from sage_select.evaluate.bfcl import (
    CATEGORIES,
    COLUMN,
    Case,
    accepted_in,
    case_of,
    category_of,
    read_cases,
    row_of,
    write_cases,
)
from sage_select.evaluate.metrics import ToolRecord, figure, offered_in, tool_metrics
from sage_select.render.messages import normalise_messages, normalise_tools

WEATHER = {
    "name": "weather.get",
    "description": "The weather of a city",
    "parameters": {
        "type": "dict",
        "properties": {
            "city": {"type": "string", "description": "Which"},
            "days": {"type": "integer", "default": 1},
            "wind": {"type": "float"},
            "place": {"type": "dict", "properties": {"lat": {"type": "float"}, "name": {"type": "string"}}},
            "stops": {"type": "array", "items": {"type": "dict", "properties": {"at": {"type": "string"}}}},
            "pair": {"type": "tuple", "items": {"type": "integer"}},
            "free": {"type": "any"},
        },
        "required": ["city"],
    },
}
TIME = {"name": "time", "description": "", "parameters": {"type": "dict", "properties": {}, "required": []}}
ASKED = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Wetter in K\u00f6ln\u2028\U0001f600?"},
)
FULL = {
    "weather.get": {
        "city": ["K\u00f6ln", "Cologne"],
        "days": ["", 1],
        "wind": [2.5],
        "place": [{"lat": [50.9], "name": ["K\u00f6ln", ""]}],
        "stops": [[{"at": ["noon", "12"]}, {"at": ["x"]}]],
        "pair": [[1, 2]],
        "free": ["x"],
    }
}
CASES = [
    Case("simple_python_0", ASKED, (WEATHER,), (FULL,)),
    Case("multiple_1", ASKED, (WEATHER, TIME), ({"time": {}},)),
    Case(
        "live_parallel_2-0-1", ASKED, (WEATHER,), ({"weather.get": {"city": ["a"]}}, {"weather.get": {"city": ["b"]}})
    ),
    Case("parallel_multiple_3", ASKED, (WEATHER, TIME), ({"weather.get": {"city": ["a"]}}, {"time": {}})),
    Case("irrelevance_4", ASKED, (WEATHER,)),
]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_files_round_trip(tmp_path: Path) -> None:
    questions, answers = tmp_path / "questions.json", tmp_path / "answers.json"
    assert write_cases(CASES, questions, answers) == (5, 4)
    assert read_cases(questions, answers) == CASES
    assert lines(questions)[0] == {"id": "simple_python_0", "question": [list(ASKED)], "function": [WEATHER]}
    assert lines(answers)[0] == {"id": "simple_python_0", "ground_truth": [FULL]}
    assert [one["id"] for one in lines(answers)] == [one.id for one in CASES[:4]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.json", "questions.json"]


def test_rows_round_trip_through_json() -> None:
    for case in CASES:
        row = json.loads(json.dumps(row_of(case)))
        assert case_of(row) == case
        assert row["messages"][:-1] == list(ASKED)


def test_a_row_is_what_models_are_trained_on() -> None:
    row = row_of(CASES[0])
    call = row["messages"][-1]["tool_calls"][0]["function"]
    assert (call["name"], json.loads(call["arguments"])) == (
        "weather.get",
        {
            "city": "K\u00f6ln",
            "days": 1,
            "wind": 2.5,
            "place": {"lat": 50.9, "name": "K\u00f6ln"},
            "stops": [{"at": "noon"}, {"at": "x"}],
            "pair": [1, 2],
            "free": "x",
        },
    )
    parameters = row["tools"][0]["function"]["parameters"]
    assert parameters["type"] == "object"
    kinds = {name: rule.get("type") for name, rule in parameters["properties"].items()}
    assert kinds == {
        "city": "string",
        "days": "integer",
        "wind": "number",
        "place": "object",
        "stops": "array",
        "pair": "array",
        "free": None,
    }
    assert parameters["properties"]["days"]["default"] == 1
    assert WEATHER["parameters"]["type"] == "dict"  # type: ignore[index]
    silent = row_of(CASES[4])["messages"][-1]
    assert silent["content"]
    assert "tool_calls" not in silent


def test_a_model_that_repeats_the_row_has_every_case_right() -> None:
    records = []
    for case in CASES:
        row = row_of(case)
        last = normalise_messages(row["messages"], "messages", None)[-1]
        calls = tuple(
            ToolCall(one["function"]["name"], one["function"]["arguments"]) for one in last.get("tool_calls", ())
        )
        offered = offered_in(normalise_tools(row["tools"], "tools", None))
        accepted = accepted_in(row[COLUMN], [call.name for call in calls])
        records.append(ToolRecord(case.id, 2, calls, calls[::-1], 0, offered, accepted))
        assert case.expected == calls
        assert case.accepted == accepted
    values = {metric.name: figure(metric, records).value for metric in tool_metrics()}
    for name in ("calls_exact", "parameter_f1", "schema_valid", "timing_balanced_accuracy"):
        assert values[name] == 1, name


def test_other_answers_count_by_the_case_alone() -> None:
    other = ToolCall("weather.get", {**CASES[0].expected[0].arguments, "city": "cologne."})
    exact = next(metric for metric in tool_metrics() if metric.name == "calls_exact")
    for accepted, right in ((CASES[0].accepted, 1), (None, 0)):
        record = ToolRecord("row", 1, CASES[0].expected, (other,), 0, CASES[0].offered, accepted)
        assert figure(exact, [record]).value == right


def test_answers_are_those_to_the_calls_of_the_row() -> None:
    column = row_of(CASES[3])[COLUMN]
    assert accepted_in(column, ["weather.get", "time"]) == ({"city": ["a"]}, {})
    assert accepted_in(None, ["time"]) is None
    with pytest.raises(DataError, match="the answers to other calls"):
        accepted_in(column, ["time", "weather.get"])
    for held in ("[]", '{"function": [1], "ground_truth": []}', '{"function": [], "ground_truth": [{"f": {"x": 1}}]}'):
        with pytest.raises(DataError, match="holds no case"):
            accepted_in(held, [])


def plain_row(*calls: tuple[str, dict[str, Any]], tools: int = 1) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "q": {"type": ["string", "null"], "description": "What"},
            "n": {"type": "number"},
            "o": {"$ref": "#/$defs/o"},
            "l": {"type": "array"},
        },
        "$defs": {"o": {"type": "object", "properties": {"k": {"type": "integer"}, "o": {"$ref": "#/$defs/o"}}}},
    }
    return {
        "id": "row/7",
        "messages": [
            {"role": "user", "content": "Find it"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "function": {"name": n, "arguments": a}} for n, a in calls],
            },
        ],
        "tools": [
            {"type": "function", "function": {"name": f"t{number}", "parameters": schema}} for number in range(tools)
        ],
    }


def test_rows_that_never_were_cases() -> None:
    case = case_of(plain_row(("t0", {"q": "x", "o": {"k": 1}, "l": [{"a": 1}]})))
    assert case.id == "simple_row/7"
    assert case.ground_truth == ({"t0": {"q": ["x"], "o": [{"k": [1]}], "l": [[{"a": [1]}]]}},)
    rules = case.functions[0]["parameters"]["properties"]
    assert rules["q"] == {"type": "string", "description": "What"}
    assert (rules["n"]["type"], rules["o"]["type"], rules["o"]["properties"]["k"]) == (
        "float",
        "dict",
        {"type": "integer"},
    )
    assert rules["l"] == {"type": "array", "items": {"type": "any"}}
    assert case.functions[0]["parameters"]["required"] == []


@pytest.mark.parametrize(
    ("calls", "tools", "category"),
    [(0, 1, "irrelevance"), (1, 1, "simple"), (1, 3, "multiple"), (2, 1, "parallel"), (2, 2, "parallel_multiple")],
)
def test_the_category_follows_from_the_row(calls: int, tools: int, category: str) -> None:
    case = case_of(plain_row(*[("t0", {})] * calls, tools=tools))
    assert (case.category, case.id) == (category, f"{category}_row/7")
    assert case_of({**row_of(case), "id": case.id}) == case


def test_categories() -> None:
    assert [category_of(f"{one}_0") for one in CATEGORIES] == list(CATEGORIES)
    for name in ("simple_java_0", "simple_javascript_1", "multi_turn_base_0", "simple", "live_relevance_0-0-0", ""):
        assert category_of(name) is None


def faulty(change: Any) -> tuple[str, str]:
    """Return the two files with their second line changed."""
    asked = [{"id": one.id, "question": [list(one.messages)], "function": list(one.functions)} for one in CASES]
    truths = [{"id": one.id, "ground_truth": list(one.ground_truth)} for one in CASES if one.ground_truth]
    asked, truths = copy.deepcopy((asked, truths))
    texts = [[json.dumps(line) for line in many] for many in (asked, truths)]
    place, new = change(asked[1], truths[1])
    texts[place][1] = new if isinstance(new, str) else json.dumps(new)
    return "\n".join(texts[0]) + "\n", "\n".join(texts[1]) + "\n"


@pytest.mark.parametrize(
    ("change", "message", "where", "expected"),
    [
        (lambda q, a: (0, "{"), "no JSON", "questions.json, line 2", "an object in each line"),
        (lambda q, a: (0, "[1]"), "no case", "questions.json, line 2", '"question"'),
        (lambda q, a: (0, {**q, "id": 7}), "no case", "questions.json, line 2", '"id"'),
        (lambda q, a: (0, {**q, "id": "simple_python_0"}), "is there twice", "questions.json, line 2", "of their own"),
        (lambda q, a: (0, {**q, "id": "multi_turn_1"}), "not known", "questions.json, line 2", "simple_"),
        (lambda q, a: (0, {**q, "question": "x"}), "no question", "questions.json, line 2", '[[{"role"'),
        (lambda q, a: (0, {**q, "question": [[{"role": "user"}]]}), "no question", "questions.json, line 2", "content"),
        (lambda q, a: (0, {**q, "question": q["question"] * 2}), "of one turn", "questions.json, line 2", "[["),
        (lambda q, a: (0, {**q, "function": []}), "no functions", "questions.json, line 2", '"function"'),
        (lambda q, a: (0, {**q, "function": [{"name": 1}]}), "no functions", "questions.json, line 2", '"name"'),
        (lambda q, a: (0, {**q, "function": [TIME, TIME]}), "'time' is there twice", "questions.json, line 2", "names"),
        (lambda q, a: (1, {**a, "ground_truth": {}}), "no possible answers", "answers.json, line 2", "ground_truth"),
        (lambda q, a: (1, {**a, "ground_truth": [{"time": {"x": 1}}]}), "no possible", "answers.json, line 2", "["),
        (lambda q, a: (1, {**a, "ground_truth": [{"a": {}, "b": {}}]}), "no possible", "answers.json, line 2", "["),
        (lambda q, a: (1, {**a, "ground_truth": [{"no": {}}]}), "has not", "answers.json, line 2", "weather.get, time"),
        (lambda q, a: (1, {**a, "id": "multiple_9"}), "not asked", "answers.json, line 2", "an id of"),
        (lambda q, a: (1, {**a, "id": "simple_python_0"}), "is there twice", "answers.json, line 2", "of their own"),
        (lambda q, a: (1, ""), "has no answer", "questions.json, line 2", "ground_truth"),
        (lambda q, a: (1, {**a, "id": "irrelevance_4"}), "has not", "answers.json, line 2", "one of"),
    ],
)
def test_faults_have_file_line_and_what_was_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, message: str, where: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in zip(("questions.json", "answers.json"), faulty(change), strict=True):
        Path(name).write_text(text)
    with pytest.raises(DataError) as caught:
        read_cases("questions.json", "answers.json")
    assert message in caught.value.message
    assert str(caught.value.where) == where
    assert expected in str(caught.value.expected)


def test_an_answer_to_what_has_none(tmp_path: Path) -> None:
    write_cases(CASES[4:], tmp_path / "q", tmp_path / "a")
    assert read_cases(tmp_path / "q") == read_cases(tmp_path / "q", tmp_path / "a") == CASES[4:]
    (tmp_path / "a").write_text(json.dumps({"id": "irrelevance_4", "ground_truth": [FULL]}))
    with pytest.raises(DataError, match="has an answer"):
        read_cases(tmp_path / "q", tmp_path / "a")
    write_cases(CASES[:1], tmp_path / "q", tmp_path / "a", overwrite=True)
    with pytest.raises(DataError, match="has no answer"):
        read_cases(tmp_path / "q")


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    questions, answers = tmp_path / "q.json", tmp_path / "a.json"
    answers.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_cases(CASES, questions, answers)
    assert not questions.exists()
    for cases, error in (
        ([CASES[0], CASES[0]], UsageError),
        ([Case("unknown_1", ASKED, (TIME,))], UsageError),
        ([Case("simple_1", ASKED, (TIME,), ({"time": {"x": [float("nan")]}},))], UsageError),
    ):
        with pytest.raises(error):
            write_cases(cases, questions, answers, overwrite=True)
    assert answers.read_text() == "mine"
    with pytest.raises(UsageError, match="a file each"):
        write_cases(CASES, questions, tmp_path / "." / "q.json")
    with pytest.raises(ResourceError):
        write_cases(CASES, tmp_path / "none" / "q", tmp_path / "none" / "a")
    with pytest.raises(ResourceError):
        read_cases(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "no id"),
        ({"messages": []}, "no turn to judge"),
        ({"messages": [{"role": "user", "content": "x"}]}, "no turn to judge"),
        ({"tools": []}, "offers no tools"),
        ({"messages": plain_row(("other", {}))["messages"]}, "does not offer"),
        ({"messages": plain_row(("t0", {}))["messages"] * 2}, "message 1 is a call"),
        ({COLUMN: "{"}, "holds no case"),
        ({COLUMN: '{"function": []}'}, "holds no case"),
    ],
)
def test_rows_that_are_no_cases(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SageError, match=message):
        case_of({**plain_row(("t0", {})), **change})


def test_empty_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    write_cases(CASES[4:], tmp_path / "q", tmp_path / "a")
    text = (tmp_path / "q").read_text()
    (tmp_path / "q").write_bytes(b"\xef\xbb\xbf\n" + text.replace("\n", "\r\n\r\n").encode())
    assert read_cases(tmp_path / "q", tmp_path / "a") == CASES[4:]
    (tmp_path / "q").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(DataError, match="no JSON"):
        read_cases(tmp_path / "q")
