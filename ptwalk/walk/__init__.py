"""The walk room: who only reads page tables (or changes no more than their accessed bits)."""
