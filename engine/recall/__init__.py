"""The read path before and after the database: from a question to a statement, and why a memory was found."""
