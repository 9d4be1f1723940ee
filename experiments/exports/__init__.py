"""A run's log in the formats that other tools read, each marked as synthetic and described by a datasheet."""
