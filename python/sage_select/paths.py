"""Names of files as users write them: `-`, `~` at the start, and what no file can be called."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sage_select.errors import UsageError

__all__ = ["STREAM", "output_path", "path_problem", "streamed_end", "user_path"]

#: What stands for standard input, and for standard output.
STREAM: Final = "-"

#: Of the file systems in use; what is longer has no answer from some of their calls.
_LONGEST_NAME: Final = 255


def path_problem(text: str) -> str | None:
    """Return why no file can have this name, or None.

    Examples
    --------
    >>> path_problem("rows.jsonl"), path_problem("")
    (None, 'a file has a name')
    """
    if not text:
        return "a file has a name"
    if "\0" in text:
        return "a file name has no zero byte"
    try:
        longest = max(len(part) for part in text.encode().split(b"/"))
    except UnicodeEncodeError:
        return "a file name is UTF-8 text"
    return "a file name has at most 255 bytes" if longest > _LONGEST_NAME else None


def user_path(text: str | Path) -> Path:
    """Return the path that `text` names, with `~` or `~user` at its start put in full.

    Raises
    ------
    UsageError
        Where no file can be called so, or there is no such user.
    """
    problem = path_problem(str(text))
    if problem is not None:
        raise UsageError("is no name of a file", where=str(text) or None, expected=problem)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = str(text).partition("/")[0]
        raise UsageError(
            f"there is no user {user[1:]!r}" if len(user) > 1 else "the home folder is not known",
            where=str(text),
            hint=f"a file that is called so is ./{text}",
        ) from None


def streamed_end(text: str) -> str | None:
    """Return the end of the name that an output has on standard output, or None where `text` names a file.

    Examples
    --------
    >>> streamed_end("-"), streamed_end("-.jsonl"), streamed_end("./-.jsonl")
    ('', '.jsonl', None)
    """
    is_stream = text == STREAM or (text.startswith("-.") and "/" not in text)
    return text.removeprefix(STREAM) if is_stream else None


def output_path(text: str) -> Path:
    """Return the path of an output that is a file or folder.

    Raises
    ------
    UsageError
        Where it is standard output, to which only programs write, or as `user_path`.
    """
    if streamed_end(text) is not None:
        raise UsageError(
            "is standard output, to which the command line alone writes",
            where=text,
            hint=f"a file that is called so is ./{text}; a Selection is an Arrow stream itself",
        )
    return user_path(text)
