"""Then and now: exercises of notebook 10."""
