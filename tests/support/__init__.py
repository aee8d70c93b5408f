"""What several tests share: a running server, independent programs."""
