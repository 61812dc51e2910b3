"""Tests of rendering on a work pool."""
