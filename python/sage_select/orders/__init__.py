"""Rules of training order, one a file: each says in which order rows are trained, and in which phases."""

from __future__ import annotations

from sage_select.orders.rule import ORDERS, Arrangement, OrderRule, order, sorted_by

__all__ = ["ORDERS", "Arrangement", "OrderRule", "order", "sorted_by"]
