"""The commands of `sage-select replay`, a module each, as `cli/subcommands.py` reads them."""

from __future__ import annotations
