"""Recommenders that learn by acting: what a policy sees of a session, and how its action becomes a page."""
