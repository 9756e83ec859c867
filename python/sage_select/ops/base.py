"""The base of all ops: a frozen, strictly checked value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from sage_select.errors import UsageError

__all__ = ["InputSetting", "Op", "Reads"]


@dataclass(frozen=True)
class Reads:
    """Marks a field that names what a run reads.

    Parameters
    ----------
    kind
        `rows` (a file, pattern, folder or URL), `file`, or `model` (a folder or the name of a repository).
    """

    kind: Literal["rows", "file", "model"]


@dataclass(frozen=True)
class InputSetting:
    """A setting that names something to read: `source.path`, of kind `rows`, with its value."""

    name: str
    kind: Literal["rows", "file", "model"]
    value: str


class Op(BaseModel):
    """One step of a pipeline, as a value.

    Unknown fields are errors, and an op never changes once made. `version` counts changes of meaning: it is
    part of the fingerprint, so a result made under an older meaning is not taken for a current one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def make(cls, **settings: Any) -> Self:
        """Return the op with these settings; those that are None keep their default.

        Raises
        ------
        UsageError
            If a setting is unknown or out of range, or two do not go together.
        """
        try:
            return cls.model_validate({name: value for name, value in settings.items() if value is not None})
        except ValidationError as error:
            problems = [
                ": ".join([*(str(part) for part in problem["loc"]), problem["msg"].removeprefix("Value error, ")])
                for problem in error.errors(include_url=False, include_context=False)
            ]
            raise UsageError("; ".join(problems)) from None

    def settings(self) -> dict[str, Any]:
        """Return the settings that matter for this step, as plain values that make the same op again."""
        return self.model_dump(mode="json", exclude_none=True, exclude=set(self.idle_fields()))

    def inputs(self) -> list[InputSetting]:
        """Return everything that this step reads: the fields marked with `Reads`, one entry a value."""
        found = []
        for field, info in type(self).model_fields.items():
            for mark in (mark for mark in info.metadata if isinstance(mark, Reads)):
                value = getattr(self, field)
                values = [] if value is None else [value] if isinstance(value, str) else list(value)
                found += [InputSetting(f"{self.name}.{field}", mark.kind, str(one)) for one in values]
        return found

    def idle_fields(self) -> frozenset[str]:
        """Return the fields that this op, as it is set, does not use."""
        return frozenset()

    def changed_idle_fields(self) -> list[str]:
        """Return the unused fields that were set to something else than their default."""
        fields = type(self).model_fields
        return sorted(name for name in self.idle_fields() if getattr(self, name) != fields[name].default)

    def describe(self) -> str:
        """Return one line that says what the step does."""
        raise NotImplementedError
