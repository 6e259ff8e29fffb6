"""Tenants cannot see each other, and everything works for roles that may do no more than they must."""
