"""What a synthetic log is worth: for training, beside real behaviour, and to the privacy of the people behind it."""
