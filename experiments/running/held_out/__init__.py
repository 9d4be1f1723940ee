"""What real behaviour and other simulated audiences say of a run's own arms, measured while the run is made."""
