"""The mind that a language model decides for: prompts, replies, moods and memory."""
