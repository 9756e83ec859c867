"""`sage-select cache`: what is held, and room made."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow
from sage_select.display import counted, displayed
from sage_select.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from sage_select.cache import Holding

__all__ = ["CACHE_HELP", "cache"]

CACHE_HELP = """List the scores and vectors of models that are held, or remove some.

\b
Builds hold what models compute, by the content of rows and models, so that none is computed twice: a killed build goes
on where it was. The cache may be removed at any time; it holds at most SAGE_CACHE_SIZE (20 GiB), and beyond that what
was used longest ago goes.

\b
Examples:
  sage-select cache                        # whose values are held, and what they take
  sage-select cache --older-than 30        # remove what was not used for 30 days
  sage-select cache --keep 5GB             # remove what was used longest ago, until it takes no more than that
  sage-select cache --clear                # remove all values

\b
Exit codes: 0 done, 2 bad arguments, 5 environment.
"""

_DAY: Final = 86_400


def cache(
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Remove values that were not used for so many days.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Remove values used longest ago, beyond a size such as 5GB.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all values.")] = False,
    cache_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The cache. [default: SAGE_CACHE_DIR, else ~/.cache/sage-select]"),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
) -> None:
    """List what is held, or remove some of it."""
    load_pyarrow()
    from sage_select.cache import cache_folder, holdings, is_cache, most_bytes, prune
    from sage_select.values.size import bytes_of

    console = Console(json_output=json_output)
    if clear and (older_than is not None or keep is not None):
        raise UsageError("--clear removes all values", hint="give it alone")
    most = None if keep is None else bytes_of(keep)
    if keep is not None and most is None:
        raise UsageError("--keep names no size", expected="such as 5GB or 512MiB", got=repr(keep))
    folder = cache_folder(cache_dir)
    if folder is None:
        raise UsageError("the home folder is not known", hint="name the cache: --cache-dir FOLDER, or SAGE_CACHE_DIR")
    removed = None
    if clear or older_than is not None or keep is not None:
        seconds = None if older_than is None else older_than * _DAY
        if folder.exists() and not is_cache(folder):
            raise UsageError("this is no cache of sage-select, and nothing is removed", where=str(folder))
        try:
            removed = prune(folder, older_than=seconds, most=None if most is None else int(most))
        except OSError as error:
            raise ResourceError("values cannot be removed", where=str(folder), got=error.strerror) from None
    found = holdings(folder)
    console.answer(_listed(folder, found, removed, most_bytes()))
    console.result(
        {
            "folder": str(folder),
            "bytes": sum(one.bytes for one in found),
            "most_bytes": most_bytes(),
            "removed": None if removed is None else {"files": removed[0], "bytes": removed[1]},
            "held": [_plain(one) for one in found],
        }
    )


def _plain(held: Holding) -> dict[str, Any]:
    used = datetime.datetime.fromtimestamp(held.used, datetime.UTC).isoformat(timespec="seconds")
    return {"id": held.name, "of": held.identity, "blocks": held.blocks, "bytes": held.bytes, "used": used}


def _listed(folder: Path, found: list[Holding], removed: tuple[int, int] | None, most: int) -> str:
    """Return what is held as lines for people, that used last first."""
    from sage_select.cli.estimate import bytes_in_words

    lines = [] if removed is None else [f"removed {counted(removed[0], 'block')}, {bytes_in_words(removed[1])}"]
    total = bytes_in_words(sum(one.bytes for one in found))
    lines.append(f"{displayed(str(folder))}: {total} of at most {bytes_in_words(most)}")
    rows = [
        (_used(one.used), bytes_in_words(one.bytes), counted(one.blocks, "block"), _whose(one.identity))
        for one in found
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join([*lines, *("  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows)])


def _used(when: float) -> str:
    return datetime.datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M")


def _whose(identity: dict[str, Any]) -> str:
    """Return whose values these are: `scorer model, ./llama (cpu, float32)`."""
    if not identity:
        return "not known"
    how = [str(identity[key]) for key in ("device", "dtype") if identity.get(key)]
    said = f"{identity.get('kind', '')} {identity.get('name', '')}, {identity.get('label', '')}".strip()
    return displayed(said + (f" ({', '.join(how)})" if how else ""))
