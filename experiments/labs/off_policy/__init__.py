"""How well off-policy estimators predict what a policy gets: held against worlds in which it really ran."""
