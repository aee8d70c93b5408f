"""The networks behind Chappe: protocol cores (standard library only) and the links that join them to sockets."""
