"""The benchmark: Mnemo beside pgvector as its README has it and beside FAISS, on the same data and server."""
