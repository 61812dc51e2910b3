"""Bars on speed and memory, measured; `make bench` runs them, the tests do not."""
