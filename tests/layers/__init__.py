"""Tests of tasks/layers."""
