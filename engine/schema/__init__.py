"""From a tree of SQL files to a database: parameters, files, checks, revisions."""
