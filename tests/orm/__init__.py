"""The ORM, through both drivers."""
