"""The web pages and machine-readable pages beside the three APIs."""
