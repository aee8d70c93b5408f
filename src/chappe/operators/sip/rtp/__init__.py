"""RTP and RTCP (RFC 3550), digits (RFC 4733), without sockets and clocks. Standard library only."""
