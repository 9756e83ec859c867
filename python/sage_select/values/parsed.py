"""Values that users write as text, and that settings hold."""

from __future__ import annotations

from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from sage_select.errors import UsageError

__all__ = ["Parsed"]


class Parsed:
    """A value that settings read with `parse`, and write as its text."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read what a user wrote.

        Raises
        ------
        UsageError
            If it is no such value, with what was expected and what came.
        """
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def parsed(value: object) -> object:
            try:
                return cls.parse(value)
            except UsageError as error:
                raise ValueError(f"{error.message}: {error.got}; expected {error.expected}") from None

        return core_schema.no_info_plain_validator_function(parsed, serialization=core_schema.to_string_ser_schema())
