"""A SIP user agent without socket and clock: calls of both directions, registrations, pings. Begin with `agent.py`."""
