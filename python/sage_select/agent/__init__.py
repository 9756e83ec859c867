"""The SAGE agent trainer by its own names, over selection and training as they are here."""

from __future__ import annotations

from sage_select.agent.config import AgentSFTConfig
from sage_select.agent.continual import OnlineContinualLearner
from sage_select.agent.coreset import CoresetSelector, SelectionSummary
from sage_select.agent.trainer import AgentSFTTrainer

__all__ = ["AgentSFTConfig", "AgentSFTTrainer", "CoresetSelector", "OnlineContinualLearner", "SelectionSummary"]
