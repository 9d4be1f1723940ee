"""Behind `experiment.py`: what Python code hands over becomes a configuration, and a run becomes data frames."""
