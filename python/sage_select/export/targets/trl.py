"""TRL: the configuration of `trl sft --config`, a `datasets` mixture and the settings that keep the order.

As its `DatasetConfig` has it (trl/scripts/utils.py), which hands path and files to `datasets.load_dataset`, and its
dataset formats: `messages`, from/value turns, `prompt` with `completion`, or text. Tools may be JSON text, arguments of
tool calls may not: they reach the chat template as they are.
"""

from __future__ import annotations

from typing import Any, Final

from sage_select.export.selected import Selected
from sage_select.export.target import Entry, Target, as_yaml
from sage_select.io.formats.encode import DATA_FILE, OutputFormat

__all__ = ["TARGET"]

_BUILDERS: Final = {
    OutputFormat.JSONL: "json",
    OutputFormat.JSONL_GZIP: "json",
    OutputFormat.PARQUET: "parquet",
    OutputFormat.ARROW_FILE: "arrow",
    OutputFormat.ARROW_STREAM: "arrow",
    OutputFormat.HF_FOLDER: "arrow",
}
#: What keeps the rows in the order of the file.
_ORDER: Final = {"train_sampling_strategy": "sequential", "shuffle_dataset": False, "packing": False}
#: Names of speakers that chat templates know.
_ROLES: Final = {"user", "assistant", "system", "developer", "tool"}


class _Trl(Target):
    name = "trl"
    title = "TRL"
    formats = tuple(_BUILDERS)

    def entry(self, selected: Selected) -> Entry:
        """Return the mixture of one dataset, and what keeps its order."""
        settings = self._settings(selected)
        folder = selected.form is OutputFormat.HF_FOLDER
        dataset = {
            "path": _BUILDERS[selected.form],
            "data_files": str(selected.path / DATA_FILE if folder else selected.path),
            "split": "train",
            "columns": list(selected.shape.columns),
        }
        value = {"datasets": [dataset], **settings, **_ORDER}
        comment = (
            f"{len(selected.rows):,} rows, in the order of the file: trl sft --config FILE --model_name_or_path MODEL"
        )
        return Entry(as_yaml(value, comment), value, tuple(self._notes(selected)))

    def _settings(self, selected: Selected) -> dict[str, Any]:
        fields = selected.shape.fields
        if selected.shape.is_text:
            return {"dataset_text_field": fields["text"]}
        if "messages" in fields:
            self.refuse_json_text(selected, fields["messages"])
            self._check_roles(selected)
            return {"assistant_only_loss": True}
        if (fields.get("prompt"), fields.get("completion")) != ("prompt", "completion"):
            raise self.refuse(
                selected,
                f"has no shape {selected.shape.name} ({', '.join(fields.values())})",
                expected="the columns messages, prompt and completion, or text",
                hint="sage-train, axolotl and LLaMA-Factory read them",
            )
        self.refuse_json_text(selected, "prompt", "completion")
        return {"completion_only_loss": True}

    def _notes(self, selected: Selected) -> list[str]:
        if "messages" in selected.shape.fields:
            return ["TRL trains turns of weight 0 as well"] if selected.turns.others["weight"] else []
        tools = "tools" in selected.shape.fields
        return ["TRL offers tools where the prompt is a list of messages, and nowhere else"] if tools else []

    def _check_roles(self, selected: Selected) -> None:
        unknown = sorted(selected.turns.roles.keys() - _ROLES)
        if unknown:
            raise self.refuse(
                selected,
                f"hands names of speakers to the chat template as they are, and {unknown[0]!r} is none that those know",
                expected=", ".join(sorted(_ROLES)),
                hint="sage-train, axolotl and LLaMA-Factory read other names",
            )


TARGET: Final = _Trl()
