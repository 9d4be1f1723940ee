"""How people take items up again that they know: a model of real repeats, and what it is fitted on."""
