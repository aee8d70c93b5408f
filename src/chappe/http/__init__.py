"""HTTP: listening for requests, and the one way out to customers' URLs."""
