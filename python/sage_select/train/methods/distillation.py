"""Distillation: the distributions of a teacher, of one in memory or as they were stored before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import model_validator

from sage_select.train.methods.method import Material, Method, method
from sage_select.train.settings.declared import Setting
from sage_select.values.location import FilePath, ModelName

if TYPE_CHECKING:
    from sage_select.train.own_loss import Objective

__all__ = ["Distillation"]

#: Settings of a teacher in memory.
_OF_TEACHER: Final = (
    "teacher_adapter",
    "teacher_precision",
    "teacher_load_in_4bit",
    "teacher_load_in_8bit",
    "hidden_cosine",
)


@method("distillation", place=20)
class Distillation(Method):
    """What a teacher would say at each trained token, beside the token itself (arXiv 1503.02531)."""

    teacher: Annotated[
        ModelName,
        Setting(
            "folder or repository of the teacher, a causal language model with the same tokenizer, which is held in "
            "memory beside the student",
            one_of="teacher",
            # Known by the digest of its files.
            identity=False,
            others=("teacher_model_name_or_path", "teacher_model"),
        ),
    ] = None
    teacher_adapter: Annotated[
        FilePath,
        Setting("adapter, or run, that the teacher has", metavar="FOLDER", identity=False),
    ] = None
    teacher_precision: Annotated[
        Literal["bf16", "fp16", "fp32"] | None,
        Setting("what the teacher computes in", default="what the student computes in"),
    ] = None
    teacher_load_in_4bit: Annotated[
        bool,
        Setting("hold the teacher in 4 bits a weight", flag="--teacher-load-in-4bit", one_of="teacher quantisation"),
    ] = False
    teacher_load_in_8bit: Annotated[
        bool,
        Setting("hold the teacher in 8 bits a weight", flag="--teacher-load-in-8bit", one_of="teacher quantisation"),
    ] = False
    teacher_logits: Annotated[
        FilePath,
        Setting(
            "what `sage-train teacher-logits` has stored of the teacher, in place of --teacher: it is not in memory",
            metavar="FILE",
            one_of="teacher",
            identity=False,
        ),
    ] = None
    untaught: Annotated[
        Literal["error", "plain"],
        Setting(
            "what becomes of rows of which the file of teacher logits holds nothing: error (they are named), or plain "
            "(they are trained on their own tokens alone, as rows that are new beside replayed ones)"
        ),
    ] = "error"
    distillation_alpha: Annotated[
        float,
        Setting("share of the teacher in the loss; the rest is that of the tokens themselves", gt=0, le=1),
    ] = 0.5
    distillation_temperature: Annotated[
        float,
        Setting(
            "what the logits of both are divided by; the teacher's share is multiplied by its square",
            gt=0,
            # Beyond, the square multiplies rounding alone.
            le=100,
            others=("kd_temperature",),
        ),
    ] = 2.0
    divergence: Annotated[
        Literal["forward_kl", "reverse_kl", "js"],
        Setting(
            "how far the student is from the teacher: KL(teacher || student), KL(student || teacher), or the "
            "generalised Jensen-Shannon divergence"
        ),
    ] = "forward_kl"
    js_beta: Annotated[
        float,
        Setting(
            "the teacher's share in the mixture of js: towards 0 it learns as forward_kl, towards 1 as reverse_kl",
            gt=0,
            lt=1,
            when={"divergence": "js"},
        ),
    ] = 0.5
    hidden_cosine: Annotated[
        float,
        Setting(
            "weight of 1 - cosine between what enters the output layers of both, where these are of one width; on top "
            "of the rest",
            ge=0,
        ),
    ] = 0.0

    @model_validator(mode="after")
    def _one_teacher(self) -> Self:
        given = [name for name in _OF_TEACHER if getattr(self, name)]
        if self.teacher is None and self.teacher_logits is None:
            raise ValueError("method 'distillation' needs teacher, a model, or teacher_logits, what was stored of one")
        if self.teacher is None and given:
            raise ValueError(
                f"{', '.join(given)} would do nothing: with teacher_logits no teacher is in memory; name it as teacher"
            )
        if self.teacher_logits is None and self.untaught != "error":
            raise ValueError("untaught would do nothing: a teacher in memory is asked about every row")
        return self

    def content(self, material: Material) -> Mapping[str, str]:
        """Check the teacher, or what was stored of it, and return what names it."""
        from sage_select.train.distilling.check import teacher_content

        return teacher_content(self, material)

    def objective(self, model: Any, material: Material) -> Objective:
        """Return alpha * T^2 * divergence + (1 - alpha) * negative log-likelihood, a token."""
        from sage_select.train.distilling.objective import distillation_objective

        return distillation_objective(self, model, material)
