"""The exercises of notebook 05, one a module; each ends in its `EXERCISE`."""
