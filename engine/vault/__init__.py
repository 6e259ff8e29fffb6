"""Vaults: what is encrypted before it reaches the database, and the keys that live outside it."""
