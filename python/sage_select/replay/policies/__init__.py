"""Which rows a replay buffer retains: one file a policy."""

from __future__ import annotations

from sage_select.replay.policies.policy import POLICIES, Candidates, Membership, Policy, policy

__all__ = ["POLICIES", "Candidates", "Membership", "Policy", "policy"]
