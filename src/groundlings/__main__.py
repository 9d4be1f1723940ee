"""`python -m groundlings` is the command `groundlings`."""

from groundlings.experiments.cli.main import main

if __name__ == "__main__":
    main()
