"""The media process: thousands of audio streams on one core, behind a narrow port. Begin with `messages.py`."""
