"""Finished runs on disk: found, read, checked, deleted."""
