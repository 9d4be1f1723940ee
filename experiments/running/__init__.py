"""From a plan to a log: runs, replicates, resumption and their cost."""
