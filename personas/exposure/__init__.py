"""What people do in front of a page, fitted on a log of exposures: looking, opening, leaving, coming back."""
