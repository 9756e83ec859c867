"""The commands of `sage-train` besides training, a module each, as `cli/subcommands.py` reads them."""

from __future__ import annotations
