"""Encoders, one a file: each says where every row lies among the others."""

from __future__ import annotations

from sage_select.encoders.encoder import ENCODERS, Encoder, check_embeddings, check_vectors, encoder

__all__ = ["ENCODERS", "Encoder", "check_embeddings", "check_vectors", "encoder"]
