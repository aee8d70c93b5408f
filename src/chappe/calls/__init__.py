"""Calls: campaigns of voice SMS and voicemail deposits, from their acceptance to the last callee's outcome."""
