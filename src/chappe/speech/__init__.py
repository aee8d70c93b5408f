"""Speech: text to what the telephone network carries, by one of several engines behind a port."""
