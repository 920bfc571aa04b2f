"""The exercises of notebook 11, one a module; `unseen` holds the walkers to review, `records` the third one's race."""
