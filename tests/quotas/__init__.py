"""Quotas and residencies of tenants."""
