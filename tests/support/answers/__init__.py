"""Who answers a call: people and machines, made by speech engines, with noise, as a telephone network carries them."""
