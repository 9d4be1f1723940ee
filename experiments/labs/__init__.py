"""Examinations of the audience itself: fidelity to real people, and warm-up of new items."""
