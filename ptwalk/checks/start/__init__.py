"""The exercises of notebook 00, one a module; each ends in its `EXERCISE`."""
