"""Mnemo's tests; they need a real PostgreSQL server, which tests/conftest.py finds or starts."""
