"""Texts and rows -> vectors: by hashing (no model), a sentence-transformers model, or a causal language model."""

from __future__ import annotations

from sage_select.encode.embeddings import Embeddings, is_reserved
from sage_select.encode.hashing import hash_texts
from sage_select.encode.transformer import embed_texts

__all__ = ["Embeddings", "embed_texts", "hash_texts", "is_reserved"]
