"""The built-in network: a real SMPP server on loopback, phones that behave by their number, their API and page."""
