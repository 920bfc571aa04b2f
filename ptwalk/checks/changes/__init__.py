"""Exercises of notebook 02: who changes page tables, and in which order."""
