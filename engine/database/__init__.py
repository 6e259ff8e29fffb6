"""The border to PostgreSQL: connections, parameters, errors."""
