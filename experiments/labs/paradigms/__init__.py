"""Recommenders of every paradigm side by side: what users do, what is shown, what it costs, and whom it serves."""
