"""Tests of the embedded server, each on a data directory of its own."""
