"""Exercises of notebook 04: the two ways to walk, and callbacks."""
