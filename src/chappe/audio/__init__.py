"""Stored audio files: what customers upload, converted once to what the telephone network carries."""
