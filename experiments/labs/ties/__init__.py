"""Whether a person's ties tell what the person takes, beyond what item kNN and popularity tell."""
