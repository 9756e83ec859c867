"""Runs programs and calls of the library one after the other in a process of its own, which damage may end.

Each line of standard input is a JSON list: the name of an entry and its arguments. Each answer is one JSON line.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sage_select.errors import SageError


def program(main: Callable[[], None], name: str) -> Callable[..., dict[str, Any]]:
    """Return an entry that runs a program and tells its exit code and what it said."""

    def run(*arguments: str) -> dict[str, Any]:
        sys.argv = [name, *arguments]
        out, err = io.StringIO(), io.StringIO()
        code: object = None
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as leaving:
            code = leaving.code or 0
        except BaseException:  # what a user would see as a traceback
            return {"code": -1, "said": traceback.format_exc()}
        told = out.getvalue() if arguments[0] == "why" else None  # other programs tell times
        return {"code": code, "said": err.getvalue()[-2000:], "found": told}

    return run


def call(work: Callable[..., object]) -> Callable[..., dict[str, Any]]:
    """Return an entry that calls the library: an error of ours counts as its exit code, any other as a bug."""

    def run(*arguments: str) -> dict[str, Any]:
        try:
            return {"code": 0, "said": "", "found": work(*arguments)}
        except SageError as error:
            return {"code": error.exit_code, "said": str(error)[-2000:]}
        except BaseException:
            return {"code": -1, "said": traceback.format_exc()}

    return run


def selected(path: str) -> list[int]:
    """Select from Python."""
    import sage_select

    chosen = sage_select.select(path, k=3, strategy="random", dedup="none")
    return [int(row) for row in chosen.indices]


def trained(path: str) -> list[str]:
    """Read a selection as the trainer does, up to the words of each row."""
    from sage_select.render import to_example
    from sage_select.train.config import TrainConfig
    from sage_select.train.selection import load_selection

    rows = load_selection(path, TrainConfig(model="none"))
    return [f"{row.row_id} {row.weight} {to_example(row.values, rows.shape, row.where)}" for row in rows]


def tokens(model: str) -> list[int]:
    """Open a model's tokenizer and template, and render a conversation."""
    from sage_select.render import Conversation
    from sage_select.train.base_model import open_renderer
    from sage_select.train.config import TrainConfig

    said = [{"role": "user", "content": "find hotel"}, {"role": "assistant", "content": "sure"}]
    return list(open_renderer(TrainConfig(model=model)).encode(Conversation(said)).input_ids)


def weights(model: str) -> float:
    """Load a model's weights."""
    from sage_select.render.model_files import load_causal_lm

    return float(sum(parameter.abs().sum() for parameter in load_causal_lm(model, "float32").parameters()))


def planted(path: str, sound: str, fault: str) -> str:
    """Do what no call may where a file is damaged: the campaign must see it."""
    content = Path(path).read_bytes()
    if content != sound.encode():
        if fault == "abort":
            os.abort()
        if fault == "exception":
            raise KeyError(fault)
        if fault == "exit 1":
            raise SageError(fault)
    return content.hex()


def main() -> None:
    """Answer each line."""
    from sage_select.cli.select import main as select

    entries = {
        "sage-select": program(select, "sage-select"),
        "select": call(selected),
        "train": call(trained),
        "tokens": call(tokens),
        "weights": call(weights),
        "planted": call(planted),
    }
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever writes to standard output by its number must not break into the answers
    for line in sys.stdin:
        folder, entry, *arguments = json.loads(line)
        os.chdir(Path(folder))
        answers.write(json.dumps(entries[entry](*arguments)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
