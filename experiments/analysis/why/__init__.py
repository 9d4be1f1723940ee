"""Why the arms of a run differ: what was shown, what became of it, and which part of an effect each step carries."""

from groundlings.experiments.analysis.why.explaining import Why, explain

__all__ = ["Why", "explain"]
