"""What people click and when they stop in logged search sessions, foretold for people who were left out."""
