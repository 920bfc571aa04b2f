"""The exercises of notebook 01, one a module; each ends in its `EXERCISE`."""
