"""Vector stores (SPEC N1): postgres, and memory for tests."""
