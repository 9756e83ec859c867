"""Whether two tokenizers have the same tokens under the same numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from sage_select.errors import UsageError

__all__ = ["known_tokens", "require_same_tokens", "vocabulary_digest"]

#: Differences that a message names.
_NAMED: Final = 3


def known_tokens(tokenizer: Any) -> int:
    """Return one more than the largest number of a token."""
    return int(max(tokenizer.get_vocab().values())) + 1


def vocabulary_digest(tokenizer: Any) -> str:
    """Return the digest of all tokens and their numbers, 32 hex characters."""
    text = json.dumps(sorted(tokenizer.get_vocab().items()), separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def require_same_tokens(student: Any, teacher: Any, where: str) -> None:
    """Refuse a teacher that has other tokens than the student.

    Raises
    ------
    UsageError
        With how many differ, and the first of them.
    """
    ours: Mapping[str, int] = student.get_vocab()
    theirs: Mapping[str, int] = teacher.get_vocab()
    other = sorted(token for token in {*ours, *theirs} if ours.get(token) != theirs.get(token))
    if not other:
        return
    said = "; ".join(f"{token!r} is {_number(ours, token)} and {_number(theirs, token)}" for token in other[:_NAMED])
    raise UsageError(
        f"teacher and student have different tokens: {len(other):,} differ",
        where=where,
        expected=f"the {len(ours):,} tokens of the student under the same numbers",
        got=f"in student and teacher {said}",
        hint="take a teacher of the same family: one with other tokens can teach by the texts that it writes alone: "
        "sage-train teacher-outputs",
    )


def _number(vocabulary: Mapping[str, int], token: str) -> str:
    return str(vocabulary[token]) if token in vocabulary else "missing"
