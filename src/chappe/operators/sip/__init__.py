"""SIP and RTP: sans-IO cores, and what joins them to sockets. Begin with `syntax/message.py`."""
