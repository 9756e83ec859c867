"""Texts -> vectors: by hashing (no model) or by a sentence-transformers model."""

from __future__ import annotations

from sage_select.encode.embeddings import Embeddings
from sage_select.encode.hashing import hash_texts
from sage_select.encode.transformer import embed_texts

__all__ = ["Embeddings", "embed_texts", "hash_texts"]
