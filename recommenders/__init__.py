"""Who ranks: one protocol, the recommenders shipped with it, and the door for your own."""
