"""Answering-machine and beep detection: who answered, and when a machine records."""
