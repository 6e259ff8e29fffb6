"""The cipher of vaults, and the stores of their keys."""
