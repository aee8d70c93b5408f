"""The three APIs as seen from outside: requests read, JSON and XML answers written, error tables, limits."""
