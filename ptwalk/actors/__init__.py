"""The actors room: who changes page tables."""
