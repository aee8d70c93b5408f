"""Opt-outs: numbers that an account must not write to any more."""
