"""Users who converse: what they need, how they talk, and when they accept. No recommender can import this."""
