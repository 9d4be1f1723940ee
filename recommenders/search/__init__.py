"""Recommenders that answer queries."""
