"""Why a command is not carried out."""

from __future__ import annotations


class CommandRefused(Exception):
    """A command that was understood and not carried out; the text is for the person who gave it."""
