"""The two files that cases are published in: the questions, and their possible answers."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import DataError, OutputError, ResourceError, UsageError, Where
from sage_select.evaluate.bfcl.case import CATEGORIES, Case, category_of, is_answer, is_function
from sage_select.paths import user_path

__all__ = ["read_cases", "write_cases"]

_QUESTION: Final = '{"id": "simple_0", "question": [[{"role": ..., "content": ...}]], "function": [{"name": ...}]}'
_ANSWER: Final = '{"id": "simple_0", "ground_truth": [{function: {parameter: [possible answers]}}]}'


def read_cases(questions: str | Path, answers: str | Path | None = None) -> list[Case]:
    """Read cases of the categories `CATEGORIES`, with their answers.

    Parameters
    ----------
    questions
        The file of questions: a case in each line, `id`, `question`, `function`.
    answers
        The file of possible answers: `id`, `ground_truth`. None where no case needs one (`irrelevance`).

    Raises
    ------
    DataError
        A line is no case, with the file, the line and what was expected; a case is there twice, has no answer where it
        needs one, or is of another category; an answer has no case, or a function that its case has not.
    ResourceError
        A file cannot be read.
    """
    found: dict[str, Case] = {}
    places: dict[str, Where] = {}
    for where, line in _lines(questions):
        case = _case(line, where)
        _once(case.id, found, where)
        found[case.id], places[case.id] = case, where
    answered: set[str] = set()
    for where, line in () if answers is None else _lines(answers):
        name, truth = _truth(line, where)
        _once(name, answered, where)
        answered.add(name)
        if name not in found:
            raise DataError(f"an answer to {name!r}, which is not asked", where=where, expected=f"an id of {questions}")
        _check_functions(found[name], truth, where)
        found[name] = Case(name, found[name].messages, found[name].functions, truth)
    for name, case in found.items():
        if not case.ground_truth and case.category != "irrelevance":
            file = "no file of answers is given" if answers is None else f"there is none in {answers}"
            raise DataError(
                f"the case {name!r} has no answer", where=places[name], expected=f"one, as {_ANSWER}", got=file
            )
        if case.ground_truth and case.category == "irrelevance":
            raise DataError(f"the case {name!r} has an answer", where=places[name], expected="none of irrelevance")
    return list(found.values())


def write_cases(
    cases: Iterable[Case], questions: str | Path, answers: str | Path, *, overwrite: bool = False
) -> tuple[int, int]:
    """Write cases as they are published; each file appears whole or not at all.

    Parameters
    ----------
    cases
        The cases, each with an id of its own that begins with its category.
    questions, answers
        The two files. Cases in which nothing should be called have no answer.
    overwrite
        Whether files that are there are replaced.

    Returns
    -------
    tuple of int
        How many questions and answers were written.

    Raises
    ------
    OutputError
        A file is there already.
    UsageError
        Both files are the same, an id is there twice or names no category, or a value is none of JSON.
    ResourceError
        A file cannot be written.
    """
    targets = [user_path(questions), user_path(answers)]
    if os.path.realpath(targets[0]) == os.path.realpath(targets[1]):
        raise UsageError("questions and answers need a file each", where=str(questions))
    for path in targets:
        if os.path.lexists(path) and not overwrite:
            raise OutputError("exists already", where=str(path), hint="give another name, or overwrite=True")
    asked: list[dict[str, Any]] = []
    truths: list[dict[str, Any]] = []
    seen: set[str] = set()
    for case in cases:
        if case.category is None or case.id in seen:
            raise UsageError(
                f"the id {case.id!r} {'is there twice' if case.id in seen else 'names no category'}",
                expected=f"ids of their own that begin with one of {', '.join(f'{one}_' for one in CATEGORIES)}",
            )
        seen.add(case.id)
        asked.append({"id": case.id, "question": [list(case.messages)], "function": list(case.functions)})
        if case.ground_truth:
            truths.append({"id": case.id, "ground_truth": list(case.ground_truth)})
    texts = ["".join(map(_line, lines)) for lines in (asked, truths)]
    for path, text in zip(targets, texts, strict=True):
        _write(path, text)
    return len(asked), len(truths)


def _line(value: Mapping[str, Any]) -> str:
    try:
        return json.dumps(value, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"the case {value['id']!r} cannot be written as JSON", got=str(error)) from None


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ResourceError(f"cannot be written: {error.strerror}", where=str(path)) from None


def _lines(file: str | Path) -> Iterator[tuple[Where, dict[str, Any]]]:
    path = user_path(file)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ResourceError(f"cannot be read: {error.strerror}", where=str(file)) from None
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        where = Where(file=str(file), line=number)
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError("no JSON", where=where, expected="an object in each line", got=str(error)) from None
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            raise DataError("no case", where=where, expected=_QUESTION, got=_short(value))
        yield where, value


def _once(name: str, seen: Iterable[str], where: Where) -> None:
    if name in seen:
        raise DataError(f"the id {name!r} is there twice", where=where, expected="ids of their own")


def _case(line: dict[str, Any], where: Where) -> Case:
    if category_of(line["id"]) is None:
        raise DataError(
            "a case of a category that is not known",
            where=where,
            expected=f"an id that begins with one of {', '.join(f'{one}_' for one in CATEGORIES)}, of Python",
            got=line["id"],
        )
    question = line.get("question")
    turns = question if isinstance(question, list) else []
    if len(turns) != 1 or not isinstance(turns[0], list) or not turns[0] or not all(map(_is_message, turns[0])):
        got = f"{len(turns)} turns" if len(turns) > 1 else _short(question)
        raise DataError(
            "no question of one turn", where=where, expected='"question": [[{"role": ..., "content": ...}]]', got=got
        )
    functions = line.get("function")
    functions = [functions] if isinstance(functions, dict) else functions
    if not isinstance(functions, list) or not functions or not all(map(is_function, functions)):
        raise DataError(
            "no functions",
            where=where,
            expected='"function": [{"name": ..., "description": ..., "parameters": {...}}]',
            got=_short(functions),
        )
    names = [one["name"] for one in functions]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"the function {name!r} is there twice", where=where, expected="names of their own")
    return Case(line["id"], tuple(turns[0]), tuple(functions))


def _truth(line: dict[str, Any], where: Where) -> tuple[str, tuple[Mapping[str, Mapping[str, list[Any]]], ...]]:
    truth = line.get("ground_truth")
    if not isinstance(truth, list) or not truth or not all(map(is_answer, truth)):
        raise DataError("no possible answers", where=where, expected=_ANSWER, got=_short(truth))
    return line["id"], tuple(truth)


def _check_functions(case: Case, truth: tuple[Mapping[str, Any], ...], where: Where) -> None:
    for name in (name for call in truth for name in call):
        if name not in case.offered:
            raise DataError(
                f"the answer to {case.id!r} calls a function that the case has not",
                where=where,
                expected=f"one of {', '.join(case.offered)}"[:200],
                got=name,
            )


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)


def _short(value: Any, limit: int = 120) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[:limit]}..."
