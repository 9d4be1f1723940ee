"""The warm-up lab: what simulated first interactions are worth to cold-start items, compared with simpler methods."""
