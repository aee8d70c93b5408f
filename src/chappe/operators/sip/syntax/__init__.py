"""SIP's messages as octets and as values (RFC 3261, sections 7, 19, 20 and 25). Begin with `message.py`."""
