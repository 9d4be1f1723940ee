"""Whether simulated first interactions warm new items up, measured against what could be had without them."""
