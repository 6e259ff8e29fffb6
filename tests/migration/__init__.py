"""Installing, upgrading, refusing, and what is frozen."""
