"""The processes of a run: one as a rule, or several that share the forward passes of each step.

Each of several holds the whole schedule, takes every step, and of its forward passes each so many-th; gradients are
added up. Only the first writes. What is decided meanwhile (to save, to stop) is decided together.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from sage_select.errors import UsageError

__all__ = ["ALONE", "LAUNCHED", "Processes", "launched"]

ValueT = TypeVar("ValueT")
#: What torchrun, and accelerate through it, tell each process that they start.
LAUNCHED: Final = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Processes:
    """How many processes take part in a run, and which of them this is.

    Attributes
    ----------
    count, rank
        Processes, and the number of this one, from 0.
    """

    count: int = 1
    rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and reports."""
        return self.rank == 0

    def join(self, *, has_gpu: bool, patience: timedelta | None = None) -> None:
        """Meet the others, before anything is asked of them; how long one waits for another is torch's if not said."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState(cpu=not has_gpu, **({} if patience is None else {"timeout": patience}))
            # Once, however many runs there are.
            atexit.unregister(_leave)
            atexit.register(_leave)

    def any(self, value: bool) -> bool:
        """Return whether it is so in any of the processes; all must ask."""
        return value if self.count == 1 else any(self.gathered([value]))

    def gathered(self, values: list[ValueT]) -> list[ValueT]:
        """Return the values of all processes, in their order; all must ask."""
        if self.count == 1:
            return values
        from accelerate.utils import gather_object

        return list(gather_object(values))

    def from_first(self, value: ValueT) -> ValueT:
        """Return the value of the first process; all must ask."""
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]  # type: ignore[no-any-return]

    def share(self, passes: list[Any]) -> list[Any]:
        """Return the forward passes of a step that are this process's."""
        return passes[self.rank :: self.count]


ALONE: Final = Processes()


def launched() -> Processes:
    """Return the processes that a launcher has started; one where none has.

    Raises
    ------
    UsageError
        The launcher says of several, and not all that each of them has to know, or which strategy they follow.
    """
    count = os.environ.get("WORLD_SIZE", "").strip()
    if count in ("", "1") or not count.isdecimal():
        return ALONE
    missing = [name for name in LAUNCHED if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"started as one of {count} processes",
            expected=f"{', '.join(LAUNCHED)} in the environment, as torchrun sets them",
            got=f"no {', '.join(missing)}",
            hint="start with `torchrun --nproc_per_node N --no-python sage-train ...`, or unset WORLD_SIZE",
        )
    sharded = [name for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED") if os.environ.get(name) == "true"]
    if sharded:
        raise UsageError(
            "a model is held whole by each process",
            got=f"{sharded[0]} in the environment",
            hint="start with torchrun, or with a configuration of accelerate without FSDP and DeepSpeed; hold a large "
            "model with --load-in-4bit",
        )
    return Processes(int(count), int(os.environ["RANK"]))


def _leave() -> None:
    """Part from the others before the interpreter is taken down: threads that still wait for them would abort it."""
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
