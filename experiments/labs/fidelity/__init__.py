"""The fidelity lab: agents compared with real users, trivial scorers, and the noise of real data."""
