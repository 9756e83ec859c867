"""Log-probabilities of completions after prompts, what the model makes of a prompt shared by all of them.

Completions are looked at as a trie (`sage_select.evaluate.prefixes`): what the model makes of a beginning that several
have counts for all of them, and where the likeliest alone is wanted, most are out by their first tokens. So the passes
behind a prompt grow with how many completions a model holds for possible, not with how many there are. Logits are made
only where something is not known yet.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.evaluate.prefixes import Search, Trie
from sage_select.render.extras import require
from sage_select.render.tokens import IGNORED, Encoded

__all__ = ["Likelihoods"]

#: How far two ways to the same log-probability may be apart: in few bits, a share of it.
_APART: Final = (0.05, 0.02)
#: float32 numbers of logits that are held at once.
_MOST_LOGITS: Final = 1 << 25
#: Places that are held where prompts are shared, in tokens of one pass: most of them are computed once.
_SHARED_PASS: Final = 4
#: Passes that are made in one, whatever their lengths: a pass of fewer takes about as long.
_FEW: Final = 64
_EXTRA: Final = "train"


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
            trie = Trie(completions)
            for batch in self._alike(prompts):
                scores = self._of_batch(
                    [prompts[place] for place in batch],
                    completions,
                    trie,
                    None if wanted is None else [wanted[place] for place in batch],
                )
                for place, one in zip(batch, scores, strict=True):
                    found[place] = one
                done += len(batch)
                progress(done, len(prompts))
        return found

    def _can_share(self, prompt: Sequence[int], completions: Sequence[Sequence[int]]) -> bool:
        shared = self._shared([prompt], Trie(completions), None)
        return shared is not None and all(
            abs(one - other) <= _APART[0] + _APART[1] * abs(one)
            for one, other in zip(self._alone(prompt, completions), shared[0], strict=True)
        )

    def _of_batch(
        self,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        trie: Trie,
        wanted: Sequence[int] | None,
    ) -> list[list[float]]:
        found = self._shared(prompts, trie, wanted) if self.shares else None
        return [self._alone(one, completions) for one in prompts] if found is None else found

    def _alike(self, prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yield numbers of prompts of one length each, so that nothing is padded before the completions."""
        order = sorted(range(len(prompts)), key=lambda place: (len(prompts[place]), place))
        for length, places in groupby(order, key=lambda place: len(prompts[place])):
            most = max(1, self._batch_tokens // length)
            alike = list(places)
            yield from (alike[start : start + most] for start in range(0, len(alike), most))

    def _alone(self, prompt: Sequence[int], completions: Sequence[Sequence[int]]) -> list[float]:
        rows = [Encoded([*prompt, *one], [*([IGNORED] * len(prompt)), *one], len(one), 0) for one in completions]
        return [-loss for loss in self._losses(rows)]

    def _shared(
        self, prompts: Sequence[Sequence[int]], trie: Trie, wanted: Sequence[int] | None
    ) -> list[list[float]] | None:
        """Return the log-probabilities with one pass over prompts of one length; None where these cannot be shared."""
        torch = require("torch", _EXTRA)
        from sage_select.score.forward import held_back

        ids = torch.tensor([list(one) for one in prompts], device=self._model.device)
        with held_back(self._model, ids, lambda states: states[:, -1:]):
            first = self._model(input_ids=ids, use_cache=True)
        cache = getattr(first, "past_key_values", None)
        if not hasattr(cache, "reorder_cache"):
            return None
        logits = first.logits[:, -1]
        search = Search(trie, len(prompts), wanted)
        start = np.zeros(len(prompts), dtype=np.int64)
        search.take(np.arange(len(prompts)), start, _of_next(logits, trie, start))
        while len((due := search.due()).prompts):
            for part in self._parts(trie.depths[due.prefixes], ids.shape[1], logits.shape[-1]):
                self._behind(cache, search, trie, due.prompts[part], due.prefixes[part], ids.shape[1])
        return search.found()

    def _parts(self, lengths: NDArray[np.int64], before: int, words: int) -> Iterator[NDArray[np.int64]]:
        """Yield numbers of passes of about one length whose caches, and logits, are held at once, longest first."""
        order = np.argsort(-lengths, kind="stable")
        while len(order):
            longest = int(lengths[order[0]])
            held = min(_SHARED_PASS * self._batch_tokens // (before + longest), _MOST_LOGITS // (longest * words))
            alike = int(np.count_nonzero(lengths[order] == longest))
            most = max(1, min(held, max(alike, _FEW)))
            yield order[:most]
            order = order[most:]

    def _behind(
        self,
        cache: Any,
        search: Search,
        trie: Trie,
        prompts: NDArray[np.int64],
        prefixes: NDArray[np.int64],
        before: int,
    ) -> None:
        """Let a search know what comes after prefixes that stand behind prompts, and after all that they begin with."""
        torch = require("torch", _EXTRA)
        from sage_select.score.forward import held_back

        device = self._model.device
        paths = trie.paths(prefixes)
        there = paths >= 0
        asked = there & search.open[prompts[:, None], paths]
        ids = torch.from_numpy(np.where(there, trie.tokens[paths], 0)).to(device)
        mask = torch.from_numpy(np.pad(there, ((0, 0), (before, 0)), constant_values=True).astype(np.int64)).to(device)
        places = torch.from_numpy(asked).to(device)
        own = copy.deepcopy(cache)
        own.reorder_cache(torch.from_numpy(prompts).to(device))
        with held_back(self._model, ids, lambda states: states[places][None]) as seen:
            logits = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=torch.arange(before, before + ids.shape[1], device=device).expand(len(ids), -1),
                past_key_values=own,
                use_cache=True,
            ).logits
        logits = logits[0] if seen else logits[places]
        search.take(prompts[np.nonzero(asked)[0]], paths[asked], _of_next(logits, trie, paths[asked]))


def _of_next(logits: Any, trie: Trie, prefixes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log-probabilities of what comes after prefixes from the logits (prefixes, words) behind each."""
    torch = require("torch", _EXTRA)
    owners, after = trie.afters(prefixes)
    where = (torch.from_numpy(one).to(logits.device) for one in (owners, trie.tokens[after]))
    values: NDArray[np.float64] = logits.float().log_softmax(-1)[tuple(where)].double().cpu().numpy()
    return values
