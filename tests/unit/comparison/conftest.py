"""What several tests of comparisons use."""

from __future__ import annotations

from blank_page import blank

__all__ = ["blank"]
