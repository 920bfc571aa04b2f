"""Exercises of notebook 03: locks, and what each of them stops."""
