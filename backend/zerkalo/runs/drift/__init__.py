"""Comparing the database with YCLIENTS without writing."""
