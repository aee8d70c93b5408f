"""Session descriptions (RFC 8866) and their offer and answer (RFC 3264), of telephone audio. Standard library only."""
