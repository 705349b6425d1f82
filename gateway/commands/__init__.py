"""What commands do beyond calling another part of the gateway; `gateway/cli.py` has their names and options.

Rule: nothing here is imported before its command runs, so that `--help` answers at once.
"""


class Failed(Exception):
    """A command could not do what it was asked for. The text is for the person who typed it."""
