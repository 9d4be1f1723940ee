"""What we ask of the world: configuration, arms, runs, metrics, reports and the command line."""
