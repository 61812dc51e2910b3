"""Tests of tasks/render."""
