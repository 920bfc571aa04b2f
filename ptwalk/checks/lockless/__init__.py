"""The exercises of notebook 07, one a module; each ends in its `EXERCISE`."""
