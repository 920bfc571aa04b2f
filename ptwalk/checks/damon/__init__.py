"""The review of DAMON and its mends: exercises of notebook 09."""
