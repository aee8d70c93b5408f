"""The one error that a command ends with: a clear line on standard error and exit code 1."""


class Refused(Exception):
    """Why a command was not carried out, for the person who gave it."""
