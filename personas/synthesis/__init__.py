"""More people than there are: users with histories of their own, made from a fitted model of the real ones."""
