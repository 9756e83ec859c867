"""Completion of what is typed, for bash, zsh and fish: a script for the shell, and the answers to what it asks.

The script calls the program with the words typed so far, the last of them unfinished, and `_SAGE_COMPLETE` in the
environment; the program prints what may stand for that word, a line each. Where it prints nothing, the shell completes
names of files.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import typer

from sage_select.cli.streams import emit
from sage_select.errors import UsageError, nearest

__all__ = ["COMPLETING", "COMPLETION_HELP", "completed", "completion"]

#: The variable that says which shell asks; unset where a user does.
COMPLETING: Final = "_SAGE_COMPLETE"
#: Characters of the help of an option that a shell shows beside it.
_LONGEST: Final = 70

_BASH: Final = """
%(function)s() {
    local IFS=$'\\n'
    COMPREPLY=($(_SAGE_COMPLETE=bash "${COMP_WORDS[0]/#\\~/$HOME}" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F %(function)s %(program)s
"""
_ZSH: Final = """
%(function)s() {
    local -a found
    found=("${(@f)$(_SAGE_COMPLETE=zsh "${words[1]/#\\~/$HOME}" "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then _describe -o '%(program)s' found; else _files; fi
}
compdef %(function)s %(program)s
"""
_FISH: Final = """
function %(function)s
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    test (count $last) -gt 0; or set last ""
    _SAGE_COMPLETE=fish %(program)s $words[2..] $last 2>/dev/null
end
complete -c %(program)s -k -f -n "test (count (%(function)s)) -gt 0" -a "(%(function)s)"
"""
_PROGRAMS: Final = ("sage-select", "sage-train")
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


COMPLETION_HELP: Final = """Print what completes commands, options and the words that they take, of both programs.

\b
Examples:
  sage-select completion bash >> ~/.bashrc
  sage-select completion zsh >> ~/.zshrc               # after compinit
  sage-select completion fish > ~/.config/fish/conf.d/sage-select.fish

\b
Exit codes: 0 done, 2 bad arguments.
"""


def completion(
    shell: Annotated[str, typer.Argument(metavar=f"[{'|'.join(_SCRIPTS)}]", help="The shell.", show_default=False)],
) -> None:
    """Print the scripts of both programs."""
    if shell not in _SCRIPTS:
        raise UsageError(
            f"there is no completion for {shell!r}", expected=", ".join(_SCRIPTS), hint=nearest(shell, _SCRIPTS)
        )
    for name in _PROGRAMS:
        emit(_SCRIPTS[shell].lstrip() % {"program": name, "function": f"_{name.replace('-', '_')}_completion"})


def completed(app: typer.Typer, words: Callable[[], Mapping[str, Sequence[str]]] = dict) -> bool:
    """Answer a shell, where one asks, and tell whether that was so.

    Parameters
    ----------
    app
        The program.
    words
        Gives the words that options take which do not say so themselves: option -> words.
    """
    shell = os.environ.get(COMPLETING)
    if shell is None:
        return False
    typed = sys.argv[1:] or [""]
    with suppress(Exception):  # whatever is wrong is told where the line is run
        command = typer.main.get_command(app)
        found = [one for one in _candidates(command, typed, words) if one[0].startswith(typed[-1])]
        emit("".join(_line(shell, *one) + "\n" for one in found))
    return True


def _candidates(
    command: Any, typed: Sequence[str], words: Callable[[], Mapping[str, Sequence[str]]]
) -> Iterator[tuple[str, str]]:
    """Yield what may stand for the last of the words typed, each with what it does."""
    *before, last = typed
    commands: Mapping[str, Any] = getattr(command, "commands", {})
    place = next((place for place, word in enumerate(before) if word in commands), None)
    if place is not None:
        yield from _candidates(commands[before[place]], typed[place + 1 :], words)
        return
    # bash takes --option=value apart.
    named = before[-2] if before[-1:] == ["="] and len(before) > 1 else before[-1] if before else ""
    named = before[-1] if last == "=" and before else named
    options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
    taking = options.get(named)
    if taking is not None and not getattr(taking, "is_flag", False) and not getattr(taking, "count", False):
        for word in _metavar_words(taking) or words().get(taking.opts[0], ()):
            yield word, ""
    elif last.startswith("-"):
        for name, one in options.items():
            yield name, one.help or ""
        yield "--help", "Show the help and leave."
    else:
        for name, one in commands.items():
            yield name, one.get_short_help_str(_LONGEST)
        for one in command.params:
            if one.param_type_name == "argument":
                yield from ((word, "") for word in _metavar_words(one))


def _metavar_words(parameter: Any) -> list[str]:
    """Return the words that a parameter takes, where the help shows them for its value: [bash|zsh]."""
    shown = re.fullmatch(r"\[(.+)\]", parameter.metavar or "")
    return shown[1].split("|") if shown else []


def _line(shell: str, word: str, does: str) -> str:
    """Return a candidate as a shell reads it."""
    said = " ".join(does.split())
    said = said if len(said) <= _LONGEST else said[: _LONGEST - 3].rsplit(" ", 1)[0] + " ..."
    if shell == "zsh":
        return word.replace(":", "\\:") + (f":{said}" if said else "")
    return f"{word}\t{said}" if shell == "fish" and said else word
