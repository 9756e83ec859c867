"""Means over the trained tokens of rows, under a model that is loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import DataError, ResourceError, UsageError, Where
from sage_select.render.example import Example
from sage_select.render.extras import require
from sage_select.render.model_files import load_config, load_tokenizer
from sage_select.render.refused import RefusedRows
from sage_select.render.tokens import IGNORED, RENDERING_VERSION, Encoded, Renderer
from sage_select.render.truncate import LongRow, context_length
from sage_select.score.batches import length_batches
from sage_select.score.scoring_model import ScoringModel

if TYPE_CHECKING:
    from sage_select.score.token_means import TokenMeans

__all__ = ["DEFAULT_MAX_LENGTH", "RowMeans", "Work", "answers_alone", "rendering_of"]

#: The longest row, in tokens, where nobody says otherwise and the model takes more.
DEFAULT_MAX_LENGTH: Final = 2048
_BATCH_TOKENS: Final = {"cuda": 32_768, "cpu": 4_096}
#: Changes with what is held of rows.
_VERSION: Final = 2
#: What torch says where a CPU has no memory left; of a GPU it raises an error of its own.
_NO_MEMORY: Final = ("can't allocate memory", "not enough memory")


@dataclass
class Work:
    """What a model was shown.

    Attributes
    ----------
    tokens
        Tokens of rows.
    places
        The same with the padding of their batches.
    seconds
        How long that took, rendering included and loading not.
    """

    tokens: int = 0
    places: int = 0
    seconds: float = 0.0

    @property
    def padding(self) -> float:
        """The share of padding among all that went through the model."""
        return 1 - self.tokens / self.places if self.places else 0.0

    def line(self) -> str:
        """Return what is told of it, empty where there was none."""
        if not self.tokens:
            return ""
        rate = f": {self.tokens / self.seconds:,.0f} a second" if self.seconds else ""
        return f"{self.tokens:,} tokens in {self.seconds:,.1f} s{rate}, {100 * self.padding:.1f} % padding beside them"


class RowMeans:
    """Figures of rows; `language_model_scores` says what the parameters are."""

    def __init__(
        self,
        model: ScoringModel,
        over: Literal["rows", "answers"],
        max_length: int | None,
        chat_template: str | None,
        on_long_row: LongRow,
        batch_tokens: int | None,
    ) -> None:
        self._model, self._over = model, over
        self._max_length, self._template, self._on_long_row = max_length, chat_template, on_long_row
        self._batch_tokens = batch_tokens or _BATCH_TOKENS["cpu" if model.place == "cpu" else "cuda"]
        self._too_many: float = np.inf
        self.refused = RefusedRows()
        self.work = Work()
        model.dtype  # noqa: B018  what there is not is refused before a row is read

    @property
    def columns(self) -> dict[str, Any]:
        """What is held of rows: name -> dtype."""
        figures = ("loss",) if self._over == "answers" else ("loss", "entropy", "el2n")
        return {
            **dict.fromkeys(figures, np.float64),
            "tokens": np.int64,
            "cut_tokens": np.int64,
            "left_out": np.bool_,
        }

    def identity(self) -> Mapping[str, Any] | None:
        """Return all that the figures of rows depend on beside them; None where the model's content is not known."""
        of_model = self._model.identity()
        if of_model is None:
            return None
        return {
            **of_model,
            "figures": _VERSION,
            "over": self._over,
            "max_length": self._max_length,
            "chat_template": self._template,
            "on_long_row": self._on_long_row,
            "rendering": RENDERING_VERSION,
            "batch_tokens": self._batch_tokens,
        }

    def load(self) -> None:
        """Load the model, if it is not there."""
        self._loaded  # noqa: B018

    @cached_property
    def _rendering(self) -> str:
        return self._loaded[0].fingerprint

    @property
    def facts(self) -> dict[str, Any]:
        """What is told of the rendering of the rows so far, as plain values."""
        renderer, _ = self._loaded
        return {
            "max_length": renderer.max_length,
            "rendering": self._rendering,
            "notices": list(renderer.notices),
        }

    @cached_property
    def _loaded(self) -> tuple[Renderer, TokenMeans]:
        name = self._model.name
        config = load_config(name)
        tokenizer = load_tokenizer(name)
        limit = context_length(config, tokenizer) or DEFAULT_MAX_LENGTH
        if self._max_length is not None and self._max_length > limit:
            raise UsageError(f"the model takes {limit} tokens, not {self._max_length}", where=name)
        most = self._max_length or min(limit, DEFAULT_MAX_LENGTH)
        network = self._model.load(tokenizer)
        from sage_select.score.token_means import TokenMeans

        return self._renderer(tokenizer, most, self._on_long_row), TokenMeans(
            network, only_loss=self._over == "answers"
        )

    def _renderer(self, tokenizer: Any, max_length: int, on_long_row: LongRow) -> Renderer:
        return Renderer(tokenizer, max_length=max_length, chat_template=self._template, on_long_row=on_long_row)

    @cached_property
    def _last_tokens(self) -> Renderer:
        """What renders rows of which training would keep nothing."""
        renderer, _ = self._loaded
        return self._renderer(renderer.tokenizer, renderer.max_length, "keep_end")

    @cached_property
    def _start(self) -> int:
        """The token behind which an answer stands alone."""
        tokenizer = self._loaded[0].tokenizer
        start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        if start is None:
            raise UsageError(
                "the tokenizer has no token that begins a text, so no answer can be scored without its prompt",
                where=self._model.name,
                expected="a BOS or an EOS token",
            )
        return int(start)

    def of(
        self, examples: Iterable[Example], place: Callable[[int], Where], progress: Callable[[int], None]
    ) -> dict[str, NDArray[Any]]:
        """Return of each row the means, NaN where nothing is trained, and how it was cut: `columns`."""
        rows, left_out = self._encoded(examples, place)
        # A row may make several training examples; its figures are those of all their trained tokens.
        shown = [
            (index, part)
            for index, row in enumerate(rows)
            for one in row
            if one.trained
            for part in (answers_alone(one, self._start) if self._over == "answers" else [one])
        ]
        owners = np.array([index for index, _ in shown], np.int64)
        trained = np.array([one.trained for _, one in shown], np.float64)
        columns = self.columns
        figures = [name for name in columns if name not in ("tokens", "cut_tokens", "left_out")]
        found = np.zeros((len(shown), len(figures)))
        finished = 0
        for batch in length_batches([len(one.input_ids) for _, one in shown], self._batch_tokens):
            found[batch] = self._means([shown[index][1] for index in batch])
            bad = next((index for index in batch if not np.isfinite(found[index]).all()), None)
            if bad is not None:
                raise DataError(
                    "the model's loss on this row is not a finite number",
                    where=place(owners[bad]),
                    got=str(found[bad, 0]),
                    hint="the model may be damaged, or need more precision than its device gives it",
                )
            finished += len(batch)
            progress(len(rows) * finished // len(shown))
        tokens = np.bincount(owners, weights=trained, minlength=len(rows))
        values: dict[str, NDArray[Any]] = {}
        for place_of, name in enumerate(figures):
            sums = np.bincount(owners, weights=found[:, place_of] * trained, minlength=len(rows))
            values[name] = np.full(len(rows), np.nan)
            np.divide(sums, tokens, out=values[name], where=tokens > 0)
        cuts = np.array([sum(one.cut for one in row) for row in rows], np.int64)
        return {
            **values,
            "tokens": tokens.astype(np.int64),
            "cut_tokens": cuts,
            "left_out": np.array(left_out, np.bool_),
        }

    def _encoded(
        self, examples: Iterable[Example], place: Callable[[int], Where]
    ) -> tuple[list[list[Encoded]], list[bool]]:
        """Return the training examples of each row, and which rows training would leave out."""
        renderer, _ = self._loaded
        rows, left_out = [], []
        for row, one in enumerate(examples):
            encoded = self.refused.encoded(renderer, one, place(row)) or []
            left_out.append(any(part.left_out for part in encoded) and not any(part.trained for part in encoded))
            rows.append(self._last_tokens.encode_all(one, place(row)) if left_out[-1] else encoded)
        return rows, left_out

    def _means(self, rows: Sequence[Encoded]) -> NDArray[np.float64]:
        """Return the figures of each row of a batch, by halves where it does not fit into memory."""
        torch = require("torch", "train")
        longest = max(len(row.input_ids) for row in rows)
        places = longest * len(rows)
        if places < self._too_many or len(rows) == 1:
            try:
                found = self._loaded[1](rows)
            except RuntimeError as error:  # torch.OutOfMemoryError is one
                if not isinstance(error, torch.OutOfMemoryError) and not any(one in str(error) for one in _NO_MEMORY):
                    raise
                if len(rows) == 1:
                    raise ResourceError(
                        f"one row of {longest} tokens does not fit into memory",
                        hint="give a smaller maximum length",
                    ) from None
                self._too_many = min(self._too_many, places)
            else:
                self.work.tokens += sum(len(row.input_ids) for row in rows)
                self.work.places += places
                return found
            torch.cuda.empty_cache()
        half = len(rows) // 2
        return np.concatenate([self._means(rows[:half]), self._means(rows[half:])])


def answers_alone(one: Encoded, start: int) -> Iterator[Encoded]:
    """Yield each unbroken stretch of the trained tokens of an example, behind the token `start`.

    Examples
    --------
    >>> one = Encoded([5, 6, 7, 8, 9], [-100, 6, 7, -100, 9], trained=3, cut=0)
    >>> [part.input_ids for part in answers_alone(one, 1)]
    [[1, 6, 7], [1, 9]]
    """
    stretch: list[int] = []
    for label in [*one.labels, IGNORED]:
        if label != IGNORED:
            stretch.append(label)
        elif stretch:
            yield Encoded([start, *stretch], [IGNORED, *stretch], len(stretch), 0)
            stretch = []


def rendering_of(model: str, on_long_row: LongRow) -> str:
    """Return the fingerprint of what makes tokens of rows for a model; its weights are not loaded."""
    return Renderer(load_tokenizer(model), max_length=DEFAULT_MAX_LENGTH, on_long_row=on_long_row).fingerprint
