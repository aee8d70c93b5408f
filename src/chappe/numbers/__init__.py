"""Telephone numbers: reading lists of recipients, countries, formats."""
