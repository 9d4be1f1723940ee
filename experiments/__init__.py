"""What we ask of the world: configuration, arms, runs, metrics, reports and the command line."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
"""Nothing is printed unless whoever imports this sets up `logging`."""
