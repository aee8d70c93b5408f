"""Webhooks: events for customers' URLs, stored first, then delivered at least once or kept as exhausted."""
