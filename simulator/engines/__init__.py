"""Where sessions are simulated: in this process, in worker processes, or on a cluster. No result depends on it."""
