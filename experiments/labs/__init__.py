"""Measurements of agents: their fidelity to real users, and what they are worth to cold-start items (warm-up)."""
