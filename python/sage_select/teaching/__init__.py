"""Rows with the answers of a teacher in place of their own: distillation on the level of sequences."""
