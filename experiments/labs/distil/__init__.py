"""A language model's answers about some pairs of person and item, reproduced for all: teacher and student."""
