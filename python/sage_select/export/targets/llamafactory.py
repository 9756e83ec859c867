"""LLaMA-Factory: an entry of its `dataset_info.json`, and the settings that keep the order.

As data/README.md has it: the formats alpaca and sharegpt, whose `columns` and `tags` say where things lie. Tags that
are left out are unset, not default (`DatasetAttr.join` in src/llamafactory/data/parser.py), so that all are written.
`SharegptDatasetConverter` skips rows whose turns do not alternate or do not end with an answer, reads no member of a
turn but its role and content, and takes `tools` as JSON text. Rows are drawn at random unless `disable_shuffling` is
true.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from sage_select.display import counted
from sage_select.errors import DataError, Where
from sage_select.export.selected import Selected, role_of
from sage_select.export.target import Entry, Target
from sage_select.io.formats.encode import OutputFormat

__all__ = ["TARGET"]

#: Tag -> the role that it names, and the name that it has by default.
_TAGS: Final = {
    "user_tag": ("user", "human"),
    "assistant_tag": ("assistant", "gpt"),
    "observation_tag": ("tool", "observation"),
    "function_tag": ("call", "function_call"),
    "system_tag": ("system", "system"),
}
#: Parts of a two-part row -> the columns of the format alpaca.
_ALPACA: Final = {
    "prompt": "prompt",
    "instruction": "prompt",
    "question": "prompt",
    "text": "prompt",
    "input": "query",
    "completion": "response",
    "output": "response",
    "answer": "response",
    "system": "system",
}


class _LlamaFactory(Target):
    name = "llamafactory"
    title = "LLaMA-Factory"
    formats = (OutputFormat.PARQUET, OutputFormat.ARROW_FILE, OutputFormat.JSONL)

    def entry(self, selected: Selected) -> Entry:
        """Return the entry under the name of the file."""
        is_chat = "messages" in selected.shape.fields
        dataset = {"file_name": str(selected.path), **(self._sharegpt if is_chat else self._alpaca)(selected)}
        value = {selected.name: dataset}
        stage = "pt" if selected.shape.is_text else "sft"
        settings = (
            f"in the YAML of the training: stage: {stage}, dataset: {selected.name}, dataset_dir: the folder of "
            "dataset_info.json; and, to keep the order, disable_shuffling: true, packing: false, val_size: 0"
        )
        notes = (settings, *(self._lost(selected) if is_chat else ()))
        return Entry(json.dumps(value, indent=2, ensure_ascii=False) + "\n", value, notes)

    def _alpaca(self, selected: Selected) -> dict[str, Any]:
        if "tools" in selected.shape.fields:
            raise self.refuse(selected, "reads tools beside conversations alone", hint="sage-train reads these rows")
        selected.refuse_other_than_text(self.title)
        columns = {_ALPACA[part]: column for part, column in selected.shape.fields.items()}
        return {"formatting": "alpaca", "columns": columns}

    def _sharegpt(self, selected: Selected) -> dict[str, Any]:
        fields, turns = selected.shape.fields, selected.turns
        if turns.calls is not None:
            raise DataError(
                "LLaMA-Factory reads tool calls as turns of their own, and these rows hold them beside what is said",
                where=turns.calls,
                expected='{"from": "function_call", "value": "{\\"name\\": ..., \\"arguments\\": ...}"}',
                hint="axolotl, TRL and sage-train read them",
            )
        if turns.no_text is not None:
            raise DataError("LLaMA-Factory reads turns that are text", where=turns.no_text, hint="sage-train reads it")
        if len(turns.role_keys) > 1 or len(turns.content_keys) > 1:
            raise self.refuse(
                selected,
                "reads turns that are all spelt alike",
                expected=f"{' or '.join(turns.role_keys)}, and {' or '.join(turns.content_keys)}, in all of them",
                hint="sage-train reads them",
            )
        self.refuse_json_text(selected, fields["messages"])
        if "tools" in fields and not selected.is_text(fields["tools"]):
            raise self.refuse(
                selected,
                f"reads tools as JSON text, and {selected.form.value} holds them as objects",
                expected=".parquet or .arrow, which hold JSON text",
                hint=self.rebuild(OutputFormat.PARQUET, selected),
            )
        tags = {"role_tag": next(iter(turns.role_keys)), "content_tag": next(iter(turns.content_keys), "value")}
        for tag, (role, usual) in _TAGS.items():
            names = turns.speakers(role)
            if len(names) > 1:
                raise self.refuse(
                    selected, f"knows one name for each role, and here {role} is {' and '.join(map(repr, names))}"
                )
            tags[tag] = names[0] if names else usual
        columns = {part: fields[part] for part in ("messages", "system", "tools") if part in fields}
        return {"formatting": "sharegpt", "columns": columns, "tags": tags}

    def _lost(self, selected: Selected) -> Iterator[str]:
        """Say which rows it will skip, and what it will not read.

        Raises
        ------
        DataError
            If it would skip all.
        """
        skipped = [where for where, row in selected.values() if not _alternates(row[selected.shape.fields["messages"]])]
        if skipped:
            rule = "turns alternate between a user or a tool and the assistant, and end with the assistant"
            if len(skipped) == len(selected.rows):
                raise DataError("LLaMA-Factory would skip every row", where=skipped[0], expected=rule)
            of_all = f"{len(skipped):,} of {counted(len(selected.rows), 'row')}"
            yield f"LLaMA-Factory will skip {of_all}, the first {_place(skipped[0])}: it wants that {rule}"
        if selected.turns.others:
            yield f"LLaMA-Factory does not read {', '.join(sorted(selected.turns.others))} of the turns"


def _alternates(turns: list[Mapping[str, Any]] | None) -> bool:
    """Tell whether turns alternate between who asks and who answers, after a system turn."""
    speakers = [role_of(str(turn.get("role", turn.get("from")))) for turn in turns or ()]
    asks = [speaker in ("user", "tool") for speaker in speakers[speakers[:1] == ["system"] :]]
    roles_known = "system" not in speakers[1:]
    return roles_known and len(asks) % 2 == 0 and asks[:1] == [True] and all(a != b for a, b in pairwise(asks))


def _place(where: Where) -> str:
    return f"line {where.line:,}" if where.line is not None else f"row {where.row:,}"


TARGET: Final = _LlamaFactory()
