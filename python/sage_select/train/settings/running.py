"""Where a run goes, what it writes meanwhile, and how it uses the machine; none of it changes a weight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, model_validator

from sage_select.declare import Settings
from sage_select.train.presets import PRESETS
from sage_select.train.reporters import ALWAYS, REPORTERS
from sage_select.train.settings.declared import Setting, Whole

__all__ = ["DEFAULT_OUTPUT_DIR", "RunningSettings"]

DEFAULT_OUTPUT_DIR = Path("~/.sage/agent_training")


def _reporters(value: Any) -> Any:
    """Take `"wandb,mlflow"` for the names in it; what is always so, or nothing, is no name."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(one, str) for one in texts):
        return value
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in (*REPORTERS, *ALWAYS)]
    if unknown:
        raise ValueError(f"expected {', '.join(REPORTERS)}, got {unknown[0]!r}")
    return tuple(dict.fromkeys(name for name in names if name in REPORTERS))


def _names(value: Any) -> Any:
    """Take `"epochs,--learning-rate"` for the names of settings in it, alone or among others."""
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list | tuple) and all(isinstance(one, str) for one in texts):
        names = (name.strip().lstrip("-").replace("-", "_") for text in texts for name in text.split(","))
        return tuple(name for name in names if name)
    return value


class RunningSettings(Settings):
    """Running."""

    output_dir: Annotated[
        Path,
        Setting(
            "folder that receives checkpoints/, logs/, lora_weights/ and run.json; made if absent",
            metavar="FOLDER",
            identity=False,
            others=("save_dir", "-o", "--out", "--output"),
        ),
    ] = DEFAULT_OUTPUT_DIR
    preset: Annotated[
        str | None,
        Setting(
            "defaults of other settings, which win where they are given: sage, those of the SAGE agent trainer",
            metavar=f"[{'|'.join(PRESETS)}]",
            # Known by what it sets.
            identity=False,
        ),
    ] = None
    resume: Annotated[
        bool,
        Setting(
            "continue the run from its newest whole checkpoint; a finished one by more --epochs or --max-steps",
            flag="--resume",
            identity=False,
        ),
    ] = False
    force: Annotated[
        bool,
        Setting(
            "replace another run in the output folder",
            flag="--force",
            identity=False,
            trl=("overwrite_output_dir",),
            others=("--overwrite",),
        ),
    ] = False
    allow_change: Annotated[
        tuple[str, ...],
        BeforeValidator(_names),
        Setting(
            "with --resume: settings, or parts of a run (rows, tokens, schedule, tokenizer, template), that may "
            "be others than before, or all; what cannot be changed is refused with the reason",
            metavar="NAME,...",
            default="none",
            identity=False,
        ),
    ] = ()
    save_steps: Annotated[
        Whole | None,
        Setting(
            "steps between checkpoints; one is always written at the end",
            ge=1,
            default="a tenth of the steps, and after every ten minutes",
            identity=False,
        ),
    ] = None
    keep_checkpoints: Annotated[
        Whole, Setting("checkpoints kept, the newest", ge=1, identity=False, trl=("save_total_limit",))
    ] = 2
    logging_steps: Annotated[
        Whole, Setting("steps between two points in the TensorBoard log", ge=1, identity=False)
    ] = 10
    report_to: Annotated[
        tuple[str, ...],
        BeforeValidator(_reporters),
        Setting(
            "programs that follow the run besides TensorBoard, whose log is always written; nothing is sent anywhere "
            "unless this says so",
            metavar=f"[{'|'.join(REPORTERS)}]",
            default="none",
            identity=False,
        ),
    ] = ()
    dataloader_workers: Annotated[
        Whole,
        Setting(
            "processes that put batches together beside the training",
            ge=0,
            identity=False,
            trl=("dataloader_num_workers",),
        ),
    ] = 0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.resume and self.force:
            raise ValueError(
                "resume continues the run in the output folder and force replaces it: choose one of the two"
            )
        if self.allow_change and not self.resume:
            raise ValueError("allow_change is for resume: a run that begins anew may have any settings")
        return self
