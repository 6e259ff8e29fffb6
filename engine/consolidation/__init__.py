"""Memories encoded anew as they move, with what came before and after them."""
