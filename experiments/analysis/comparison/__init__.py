"""Is one recommender better than another for this audience? The statistics behind the answer, and the answer."""
