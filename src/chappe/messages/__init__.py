"""Messages: from an accepted request to the receipt of every recipient."""
