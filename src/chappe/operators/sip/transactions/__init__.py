"""SIP transactions (RFC 3261, section 17, as corrected by RFC 6026). Begin with `layer.py`; `states.py` is the table."""
