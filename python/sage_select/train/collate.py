"""Rows into padded tensors, each with its place in the training order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["Collator"]


@dataclass(frozen=True)
class Collator:
    """Pads rows on the right, by their length (a pad token that is also the end token stays trained).

    Parameters
    ----------
    pad_token_id
        Fills `input_ids` after the end of a row; never attended to, never trained.
    """

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_ids`, `labels` (-100 where not trained) and `attention_mask`, all int64 (rows, longest).

        With them `place` (int64) and `weight` (float32), one a row.
        """
        longest = max(len(row["input_ids"]) for row in rows)
        input_ids = torch.full((len(rows), longest), self.pad_token_id)
        labels = torch.full((len(rows), longest), -100)
        attention_mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for number, row in enumerate(rows):
            length = len(row["input_ids"])
            input_ids[number, :length] = torch.as_tensor(row["input_ids"])
            labels[number, :length] = torch.as_tensor(row["labels"])
            attention_mask[number, :length] = 1
        return {
            "input_ids": input_ids,
            "labels": labels,
            "attention_mask": attention_mask,
            "place": torch.tensor([int(row["place"]) for row in rows]),
            "weight": torch.tensor([float(row["weight"]) for row in rows]),
        }
