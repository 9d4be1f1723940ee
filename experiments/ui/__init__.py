"""The web app: every run of a directory in one place, and live pages while one goes."""
