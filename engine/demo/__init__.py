"""The demonstration on the documentation strings of Python itself."""
