"""Who comes back, and when: a hazard that depends on what happened in the last session."""
