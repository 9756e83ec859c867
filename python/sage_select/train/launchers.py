"""The environment that launchers of several processes leave: heeded where it starts them, hidden elsewhere.

The libraries below ours take these variables for a launch of several processes: they wait for others, or fail without
an address. Those of `accelerate` would besides train in another precision than ours, or under another strategy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sage_select.errors import UsageError
from sage_select.train.processes import LAUNCHED, Processes, launched

__all__ = ["hidden_launchers", "started_processes"]

#: Who starts processes -> the variables that tell each how many they are, and which it is.
_LAUNCHERS: Final = {
    "Open MPI": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    "PMI (MPICH, Intel MPI, Slurm)": ("PMI_SIZE", "PMI_RANK"),
    "MVAPICH": ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
    "torchrun or accelerate": ("WORLD_SIZE", "RANK"),
}
#: Further ones that the libraries read, by which a launch of one process works without them.
_FURTHER: Final = (
    *("LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "TORCHELASTIC_RUN_ID"),
    *("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    *("MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE"),
)
_ACCELERATE: Final = "ACCELERATE_"
#: How much accelerate tells, which is nobody's training.
_HARMLESS: Final = frozenset({"ACCELERATE_LOG_LEVEL", "ACCELERATE_DEBUG_MODE", "ACCELERATE_DISABLE_RICH"})


@contextmanager
def started_processes() -> Iterator[tuple[Processes, list[str]]]:
    """Give the processes of a run, and what the user should know of them, one line each.

    Within the block the variables of launchers are hidden, but those of torchrun where it has started several.

    Raises
    ------
    UsageError
        This is one of several processes of another launcher than torchrun, all of which would train alone, into one
        folder. A number of processes without the variable that tells which of them this is was left by something else.
    """
    processes, left = launched(), []
    for launcher, (size, rank) in _LAUNCHERS.items():
        count = os.environ.get(size, "").strip()
        if count in ("", "1") or size == "WORLD_SIZE":
            continue
        if count.isdecimal() and rank in os.environ:
            raise UsageError(
                f"started as one of {count} processes",
                expected="one process, or several by torchrun",
                got=f"{size}={count} in the environment, of {launcher}",
                hint=f"in a shell that such a launcher has started, unset {size} and {rank}",
            )
        left.append(size)
    strategies = sorted(name for name in os.environ if name.startswith(_ACCELERATE) and name not in _HARMLESS)
    told = [*left, *strategies]
    with hidden_launchers(but=LAUNCHED if processes.count > 1 else ()):
        yield processes, [f"ignored in the environment: {', '.join(told)} (a run is one process)"] if told else []


@contextmanager
def hidden_launchers(but: Sequence[str] = ()) -> Iterator[None]:
    """Hide the variables of launchers within the block, but these."""
    strategies = [name for name in os.environ if name.startswith(_ACCELERATE) and name not in _HARMLESS]
    names = {name for pair in _LAUNCHERS.values() for name in pair} | {*_FURTHER, *strategies, *LAUNCHED}
    names -= {*but, *(("LOCAL_WORLD_SIZE", "GROUP_RANK", "TORCHELASTIC_RUN_ID") if but else ())}
    hidden = {name: os.environ.pop(name) for name in sorted(names) if name in os.environ}
    try:
        yield
    finally:
        # What a library has set meanwhile would be a launcher's to the next run.
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(hidden)
