"""Recommenders that train a neural network with PyTorch, and rank with numpy."""
