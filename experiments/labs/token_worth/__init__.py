"""What a token is worth in each way of asking a language model: the same real choices, each mind's live prompt."""
