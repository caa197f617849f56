"""How raw data is read."""
