"""Log-probabilities of completions after prompts, what the model makes of a prompt shared by all of them.

The log-probability of a completion only falls with its tokens. So where the likeliest alone is wanted, a completion
whose first token is less likely than another whole completion is out without being computed: the likeliest, and all
that are as likely, are found exactly.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from sage_select.render.extras import require
from sage_select.render.tokens import IGNORED, Encoded

__all__ = ["Likelihoods"]

#: How far two ways to the same log-probability may be apart: in few bits, a share of it.
_APART: Final = (0.05, 0.02)
#: float32 numbers of logits that are held at once.
_MOST_LOGITS: Final = 1 << 25
#: Places that are held where prompts are shared, in tokens of one pass: most of them are computed once.
_SHARED_PASS: Final = 4
#: Completions of a prompt that are computed before others are looked at again.
_ROUND: Final = 8
_EXTRA: Final = "train"

#: A prompt of a batch, and a completion.
_Pair = tuple[int, int]


class Likelihoods:
    """Log-probabilities under one model.

    Parameters
    ----------
    model
        A causal language model in evaluation mode.
    losses
        Training examples -> the sum of the losses of each.
    batch_tokens
        Tokens in one forward pass.
    """

    def __init__(self, model: Any, losses: Callable[[Sequence[Encoded]], list[float]], batch_tokens: int) -> None:
        self._model, self._losses, self._batch_tokens = model, losses, batch_tokens
        #: Whether prompts can be shared: not known before the first.
        self.shares: bool | None = None

    def __call__(
        self,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        progress: Callable[[int, int], None],
        wanted: Sequence[int] | None = None,
    ) -> list[list[float]]:
        """Return of each prompt the log-probability of each completion, as `AskedModel.likelihoods` does."""
        found: list[list[float]] = [[] for _ in prompts]
        done = 0
        with require("torch", _EXTRA).inference_mode():
            if prompts and self.shares is None:
                self.shares = self._can_share(prompts[0], completions)
            for batch in self._alike(prompts, len(completions) if wanted is None else _ROUND):
                scores = self._of_batch(
                    [prompts[place] for place in batch],
                    completions,
                    None if wanted is None else [wanted[place] for place in batch],
                )
                for place, one in zip(batch, scores, strict=True):
                    found[place] = one
                done += len(batch)
                progress(done, len(prompts))
        return found

    def _can_share(self, prompt: Sequence[int], completions: Sequence[Sequence[int]]) -> bool:
        shared = self._shared([prompt], completions, None)
        return shared is not None and all(
            abs(one - other) <= _APART[0] + _APART[1] * abs(one)
            for one, other in zip(self._alone(prompt, completions), shared[0], strict=True)
        )

    def _of_batch(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], wanted: Sequence[int] | None
    ) -> list[list[float]]:
        found = self._shared(prompts, completions, wanted) if self.shares else None
        return [self._alone(one, completions) for one in prompts] if found is None else found

    def _alike(self, prompts: Sequence[Sequence[int]], completions: int) -> Iterator[list[int]]:
        """Yield numbers of prompts of one length each, so that nothing is padded before the completions."""
        order = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
        for length, places in groupby(order, key=lambda place: len(prompts[place])):
            most = max(1, _SHARED_PASS * self._batch_tokens // (completions * length))
            alike = list(places)
            yield from (alike[start : start + most] for start in range(0, len(alike), most))

    def _alone(self, prompt: Sequence[int], completions: Sequence[Sequence[int]]) -> list[float]:
        rows = [Encoded([*prompt, *one], [*([IGNORED] * len(prompt)), *one], len(one), 0) for one in completions]
        return [-loss for loss in self._losses(rows)]

    def _shared(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], wanted: Sequence[int] | None
    ) -> list[list[float]] | None:
        """Return the log-probabilities with one pass over prompts of one length; None where these cannot be shared."""
        torch = require("torch", _EXTRA)
        device = self._model.device
        first = self._model(input_ids=torch.tensor([list(one) for one in prompts], device=device), use_cache=True)
        cache = getattr(first, "past_key_values", None)
        if not hasattr(cache, "batch_select_indices"):
            return None
        begins = first.logits[:, -1].float().log_softmax(-1)
        sums: list[list[float]] = (
            begins[:, torch.tensor([one[0] for one in completions], device=device)].double().tolist()
        )
        search = _Search(sums, [len(one) for one in completions], wanted)
        while pairs := search.due():
            for part in self._parts(pairs, completions, len(prompts[0]), begins.shape[-1]):
                search.take(part, self._behind(cache, part, completions, len(prompts[0])))
        return search.found()

    def _parts(
        self, pairs: Sequence[_Pair], completions: Sequence[Sequence[int]], before: int, words: int
    ) -> Iterator[Sequence[_Pair]]:
        """Yield pairs whose passes, and logits, are held at once, the longest completions first."""
        order = sorted(pairs, key=lambda pair: (-len(completions[pair[1]]), pair))
        while order:
            longest = len(completions[order[0][1]])
            held = min(_SHARED_PASS * self._batch_tokens // (before + longest), _MOST_LOGITS // (longest * words))
            most = max(1, held)
            yield order[:most]
            order = order[most:]

    def _behind(
        self, cache: Any, pairs: Sequence[_Pair], completions: Sequence[Sequence[int]], before: int
    ) -> list[float]:
        """Return of each pair the log-probability of all tokens of the completion but its first."""
        torch = require("torch", _EXTRA)
        device, count = self._model.device, len(pairs)
        longest = max(len(completions[one]) for _, one in pairs) - 1
        ids = torch.zeros((count, longest), dtype=torch.long)
        targets = torch.full((count, longest), IGNORED)
        mask = torch.zeros((count, before + longest), dtype=torch.long)
        mask[:, :before] = 1
        for row, (_, place) in enumerate(pairs):
            one = completions[place]
            ids[row, : len(one) - 1] = torch.tensor(list(one[:-1]))
            targets[row, : len(one) - 1] = torch.tensor(list(one[1:]))
            mask[row, before : before + len(one) - 1] = 1
        own = copy.deepcopy(cache)
        own.batch_select_indices(torch.tensor([prompt for prompt, _ in pairs], device=device))
        logits = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=torch.arange(before, before + longest, device=device).expand(count, -1),
            past_key_values=own,
            use_cache=True,
        ).logits.float()
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), targets.to(device), reduction="none", ignore_index=IGNORED
        )
        found: list[float] = (-losses.double().sum(dim=1)).tolist()
        return found


class _Search:
    """Which completions of which prompts are still to be computed.

    Parameters
    ----------
    bounds
        Of each prompt the log-probability of the first token of each completion.
    lengths
        Tokens of each completion: one of a single token is known.
    wanted
        Of each prompt a completion that is computed in any case, where the likeliest alone are wanted; None for all.
    """

    def __init__(self, bounds: list[list[float]], lengths: Sequence[int], wanted: Sequence[int] | None) -> None:
        self._sums, self._wanted = bounds, wanted
        known = [length == 1 for length in lengths]
        self._known = [list(known) for _ in bounds]
        self._open = [
            sorted((place for place, one in enumerate(known) if not one), key=lambda place: (-own[place], place))
            for own in bounds
        ]
        if wanted is not None:
            for own, place in zip(self._open, wanted, strict=True):
                if place in own:  # first of all
                    own.remove(place)
                    own.insert(0, place)

    def due(self) -> list[_Pair]:
        """Return the pairs that are to be computed next, none where all is known."""
        pairs: list[_Pair] = []
        for prompt, own in enumerate(self._open):
            left = own if self._wanted is None else self._possible(prompt, self._wanted[prompt])
            step = len(left) if self._wanted is None else _ROUND
            pairs += [(prompt, place) for place in left[:step]]
            self._open[prompt] = left[step:]
        return pairs

    def _possible(self, prompt: int, wanted: int) -> list[int]:
        """Return what is open of a prompt and may be the likeliest, or is wanted."""
        sums = self._sums[prompt]
        best = max((one for one, known in zip(sums, self._known[prompt], strict=True) if known), default=-math.inf)
        return [place for place in self._open[prompt] if place == wanted or sums[place] >= best]

    def take(self, pairs: Sequence[_Pair], more: Sequence[float]) -> None:
        """Take what the tokens behind the first come to."""
        for (prompt, place), value in zip(pairs, more, strict=True):
            self._sums[prompt][place] += value
            self._known[prompt][place] = True

    def found(self) -> list[list[float]]:
        """Return the log-probabilities; minus infinity where a completion cannot be the likeliest."""
        return [
            [one if known else -math.inf for one, known in zip(sums, there, strict=True)]
            for sums, there in zip(self._sums, self._known, strict=True)
        ]
