"""A stand-in for an operator's SMSC, as a process of its own, that keeps a journal of everything it saw and said."""
