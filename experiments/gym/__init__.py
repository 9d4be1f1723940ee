"""Environments for reinforcement learning: a policy chooses the pages, simulated people answer."""
