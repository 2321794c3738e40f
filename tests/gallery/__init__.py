"""Operators that prove the checker: each wrong one is caught, no right one is accused."""
