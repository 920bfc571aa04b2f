"""The exercises of notebook 06, one a module; each ends in its `EXERCISE`."""
