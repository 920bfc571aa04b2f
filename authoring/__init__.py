"""How the notebooks of the course are made; used by authors and by tests, never by learners."""
