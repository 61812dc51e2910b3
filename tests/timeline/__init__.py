"""Tests of tasks/timeline."""
