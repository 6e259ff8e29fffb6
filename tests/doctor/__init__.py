"""The checks of mnemo doctor: each is shown its trap."""
