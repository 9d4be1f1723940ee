"""Recommenders that converse: they see a catalogue, the site's tools and what the user says."""
