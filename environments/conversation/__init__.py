"""Conversations about a catalogue: what items are like, requirements on them, and the messages of both sides."""
