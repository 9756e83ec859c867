"""The base of all ops: a frozen, strictly checked value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from sage_select.display import is_url, without_secrets
from sage_select.errors import UsageError
from sage_select.ops.location import InputSetting, Reads, Writes, location_of
from sage_select.ops.problems import named_problems

__all__ = ["Op"]


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
        return cls.of(settings)

    @classmethod
    def of(cls, settings: Mapping[str, Any], names: Mapping[str, str] | None = None) -> Self:
        """Return the op with these settings, as `make` does; an error calls them by `names`, where they have others.

        Raises
        ------
        UsageError
            As `make`.
        """
        try:
            return cls.model_validate({name: value for name, value in settings.items() if value is not None})
        except ValidationError as error:
            raise UsageError("; ".join(named_problems(error, names or {}))) from None

    def settings(self) -> dict[str, Any]:
        """Return the settings that matter for this step, as plain values that make the same op again."""
        return self.model_dump(mode="json", exclude_none=True, exclude=set(self.idle_fields()))

    def inputs(self) -> list[InputSetting]:
        """Return everything that this step reads: the fields marked with `Reads`, one entry a value."""
        return [
            InputSetting(f"{self.name}.{name}", mark.kind, one)
            for name, mark, values in self._locations()
            if isinstance(mark, Reads)
            for one in values
        ]

    def relocated(self, place: Callable[[str, Reads | Writes], str]) -> Self:
        """Return the op with every location that was set put elsewhere: `place` of what it names, and of its mark."""
        moved = {}
        for name, mark, values in self._locations():
            if name in self.model_fields_set:
                placed = [place(one, mark) for one in values]
                moved[name] = placed[0] if isinstance(getattr(self, name), str) else type(getattr(self, name))(placed)
        return self.model_copy(update=moved)

    def shown_settings(self) -> dict[str, Any]:
        """Return `settings()` as a manifest may hold them: URLs without credentials."""
        shown = self.relocated(lambda text, _: without_secrets(text) if is_url(text) else text)
        return shown.settings()

    def _locations(self) -> list[tuple[str, Reads | Writes, list[str]]]:
        """Return the fields that name files, folders, URLs or models: name, mark and values."""
        found = []
        for name, info in type(self).model_fields.items():
            value, mark = getattr(self, name), location_of(info)
            if mark is not None and value is not None:
                found.append((name, mark, [value] if isinstance(value, str) else [str(one) for one in value]))
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
