"""Whether a model keeps examples apart that lie in one sequence: found out by trying.

Position ids that begin anew tell most classes of transformers where an example begins: they make the attention mask of
it. Classes that carry a state along (Mamba, linear attention, short convolutions) or that know no position ids (ALiBi)
mix examples, or shift them, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from sage_select.errors import UsageError
from sage_select.train.config import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.own_loss import as_in_use, text_only
from sage_select.train.packing import Layout
from sage_select.train.schedule import Schedule

__all__ = ["balances_experts", "check_packable", "keeps_apart", "layout_rule"]

#: Tokens of the two examples with which a model is tried: their lengths differ, so that positions do.
_TRIED: Final = (11, 7)
#: Share of the largest logit by which two forward passes of other shapes may differ, in float32 (True) or fewer bits.
_ROUNDING: Final = {True: 1e-4, False: 2e-2}
#: The same for two of one shape, whose logits are the same but where experts get other tokens together.
_SEEN: Final = {True: 1e-6, False: 1e-3}


def layout_rule(model: Any, rows: TrainingRows, config: TrainConfig) -> Callable[[Schedule], Layout]:
    """Return what lays the examples of each step into its forward passes: packed, else sorted by length.

    A mixture that balances its experts over forward passes gets them in their order, so that its loss is what it would
    be elsewhere. What lies where in a step depends on no other step.

    Raises
    ------
    UsageError
        If they are to be packed, and the model cannot keep them apart.
    """
    row = rows.table["input_ids"][0].as_py()
    per_pass, lookback, lengths = config.batch_size, config.packing_lookback, rows.lengths
    if config.packing:
        check_packable(model, row)
        return lambda taken: Layout.packing(
            taken.starts, lengths[taken.places], taken.phases, per_pass=per_pass, lookback=lookback
        )
    lay = Layout.in_order if balances_experts(model, row) else Layout.by_length
    return lambda taken: lay(taken.starts, lengths[taken.places], per_pass=per_pass)


def check_packable(model: Any, row: Sequence[int]) -> None:
    """Refuse a model whose loss would be another one if it were trained on packed examples.

    Parameters
    ----------
    model
        A PEFT model.
    row
        Token ids.

    Raises
    ------
    UsageError
        With the reason; without packing the model can be trained.
    """
    base = model.get_base_model()
    hint = "leave out --packing; examples of a step are sorted by length then, which saves most of the padding"
    if balances_experts(model, row):
        raise UsageError(
            f"{type(base).__name__} balances its experts over whole forward passes, so that packing would change its "
            "loss",
            hint=hint,
        )
    if not keeps_apart(model, row):
        raise UsageError(f"{type(base).__name__} mixes examples that lie in one sequence", hint=hint)


def balances_experts(model: Any, row: Sequence[int]) -> bool:
    """Say whether a mixture of experts adds a loss over all tokens of a forward pass, where TRL asks for one."""
    base = model.get_base_model()
    config = base.config.get_text_config()
    if not hasattr(config, "output_router_logits") or getattr(config, "router_aux_loss_coef", 0.0) == 0.0:
        return False
    ids = torch.tensor([[int(token) for token in row[: _TRIED[0]]]], device=base.device)
    with as_in_use(model), torch.no_grad():
        outputs = model(input_ids=ids, use_cache=False, output_router_logits=True, **text_only(base, ids))
    return getattr(outputs, "aux_loss", None) is not None


def keeps_apart(model: Any, row: Sequence[int]) -> bool:
    """Say whether two examples in one sequence get the logits that each gets alone.

    Neither the weights nor the state of the random numbers is changed.
    """
    base = model.get_base_model()
    vocabulary = base.get_input_embeddings().weight.shape[0]
    tokens = torch.tensor([int(token) for token in row])
    first, second = (tokens.repeat(length)[:length] for length in _TRIED)
    second, other = second.flip(0), (first + 1) % vocabulary
    positions = torch.cat([torch.arange(length) for length in _TRIED])
    with as_in_use(model), torch.no_grad():
        try:
            # Two sequences, as a forward pass has several.
            packed = _logits(model, [torch.cat([one, second]) for one in (first, other)], positions)
            alone = [_logits(model, [one], torch.arange(len(one)))[0] for one in (first, other, second)]
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception:
            return False
    largest = max(logits.abs().max().item() for logits in alone)
    full = base.dtype == torch.float32
    after = packed[:, len(first) :]
    changed = (after[0] - after[1]).abs().max().item()
    apart = [
        *(sequence[: len(first)] - logits for sequence, logits in zip(packed, alone[:2], strict=True)),
        after[0] - alone[2],
    ]
    # Of most tokens, where experts are chosen by a hair.
    different = max(one.abs().amax(dim=1).median().item() for one in apart)
    return changed <= _SEEN[full] * largest and different <= _ROUNDING[full] * largest


def _logits(model: Any, sequences: Sequence[torch.Tensor], positions: torch.Tensor) -> torch.Tensor:
    base = model.get_base_model()
    ids = torch.stack(list(sequences)).to(base.device)
    position_ids = positions.expand(len(ids), -1).to(base.device)
    extra = text_only(base, ids)
    logits: torch.Tensor = model(input_ids=ids, position_ids=position_ids, use_cache=False, **extra).logits
    return logits.float()
