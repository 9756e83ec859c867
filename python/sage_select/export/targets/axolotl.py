"""axolotl: an entry of `datasets` in its YAML, and the settings that keep the order.

As its `SFTDataset` has it (src/axolotl/utils/schemas/datasets.py; docs/dataset-formats): conversations are read by
`type: chat_template`, whose `message_property_mappings` and `roles` say how turns are spelt, and tools are lists of
objects; two-part rows by a `type` of fields and formats; text by `type: completion`. A dataset is shuffled unless
`shuffle_merged_datasets` is false (`merge_datasets`), drawn at random unless `curriculum_sampling` is true, and packed
in another order unless `sample_packing_sequentially` is true (pull requests 2235, 2404, 2845, 2866).
"""

from __future__ import annotations

from typing import Any, Final

from sage_select.export.selected import Selected, role_of
from sage_select.export.target import Entry, Target, as_yaml
from sage_select.io.formats.encode import OutputFormat

__all__ = ["TARGET"]

_KINDS: Final = {
    OutputFormat.JSONL: "json",
    OutputFormat.JSONL_GZIP: "json",
    OutputFormat.PARQUET: "parquet",
    OutputFormat.ARROW_FILE: "arrow",
    OutputFormat.ARROW_STREAM: "arrow",
}
#: Names of speakers that it knows by itself.
_KNOWN: Final = {"human", "user", "assistant", "gpt", "system", "tool"}
#: What keeps the rows in the order of the file.
_ORDER: Final = {
    "shuffle_merged_datasets": False,
    "curriculum_sampling": True,
    "sample_packing": False,
}


class _Axolotl(Target):
    name = "axolotl"
    title = "axolotl"
    formats = (*_KINDS, OutputFormat.HF_FOLDER)

    def entry(self, selected: Selected) -> Entry:
        """Return `datasets` with one entry, and what keeps its order."""
        dataset: dict[str, Any] = {"path": str(selected.path)}
        if selected.form is not OutputFormat.HF_FOLDER:
            dataset |= {"ds_type": _KINDS[selected.form], "split": "train"}
        dataset |= self._type(selected)
        value = {"datasets": [dataset], **_ORDER}
        comment = (
            f"{len(selected.rows):,} rows, in the order of the file by the settings after the entry.\n"
            "With sample_packing: true, sample_packing_sequentially: true keeps it, too; val_set_size sets rows aside."
        )
        return Entry(as_yaml(value, comment), value, tuple(self._notes(selected)))

    def _type(self, selected: Selected) -> dict[str, Any]:
        fields = selected.shape.fields
        if selected.shape.is_text:
            return {"type": "completion", "field": fields["text"]}
        if "messages" in fields:
            return self._conversation(selected)
        if "tools" in fields:
            raise self.refuse(selected, "reads tools beside conversations alone", hint="sage-train reads these rows")
        selected.refuse_other_than_text(self.title)
        prompt = next(fields[part] for part in ("prompt", "instruction", "question") if part in fields)
        answer = next(fields[part] for part in ("completion", "output", "answer") if part in fields)
        parts = {"field_instruction": prompt, "field_output": answer}
        parts |= {f"field_{part}": fields[part] for part in ("system", "input") if part in fields}
        with_input = "{instruction}\n\n{input}" if "input" in fields else "{instruction}"
        return {"type": {**parts, "format": f"{with_input}\n", "no_input_format": "{instruction}\n"}}

    def _conversation(self, selected: Selected) -> dict[str, Any]:
        fields, turns = selected.shape.fields, selected.turns
        if len(turns.role_keys) > 1 or len(turns.content_keys) > 1:
            raise self.refuse(
                selected,
                "reads turns that are all spelt alike",
                expected=f"{' or '.join(turns.role_keys)}, and {' or '.join(turns.content_keys)}, in all of them",
                hint="sage-train reads them",
            )
        if calling := turns.speakers("call") or [name for name in ("tool_call", "function_call") if turns.others[name]]:
            raise self.refuse(
                selected,
                f"reads tool calls from `tool_calls`, and these rows spell them as {calling[0]!r}",
                hint="sage-train and LLaMA-Factory read turns that are calls",
            )
        self.refuse_json_text(selected, fields["messages"], but=("arguments",))
        if "tools" in fields:
            self.refuse_json_text(selected, fields["tools"], but=("parameters",))
            if selected.is_text(fields["tools"]):
                raise self.refuse(
                    selected,
                    "reads tools as objects, and these rows have them as text",
                    hint="sage-train and LLaMA-Factory read text",
                )
        found: dict[str, Any] = {"type": "chat_template", "field_messages": fields["messages"]}
        role, content = next(iter(turns.role_keys)), next(iter(turns.content_keys), "content")
        if (role, content) != ("role", "content"):
            found["message_property_mappings"] = {"role": role, "content": content}
        if not turns.roles.keys() <= _KNOWN:
            roles: dict[str, list[str]] = {}
            for name in sorted(turns.roles):
                roles.setdefault(role_of(name) or name, []).append(name)
            found["roles"] = roles
        return {**found, "roles_to_train": ["assistant"], "train_on_eos": "turn"}

    def _notes(self, selected: Selected) -> list[str]:
        if selected.shape.is_text or "messages" not in selected.shape.fields:
            return ["axolotl applies no chat template to rows without turns"]
        return ["axolotl trains turns of weight 0 as well"] if selected.turns.others["weight"] else []


TARGET: Final = _Axolotl()
