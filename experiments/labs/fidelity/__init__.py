"""The fidelity lab: simulated people beside the real ones, trivial scorers, and the noise of real data."""
