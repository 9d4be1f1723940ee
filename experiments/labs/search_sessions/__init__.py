"""What people click and when they stop in logged search sessions, predicted for people who were left out."""
