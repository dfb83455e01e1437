"""Builders, fakes and the test database; shared by every kind of test."""
