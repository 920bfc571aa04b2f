"""The kernel room: mechanisms of Linux that more than one walker or unlinker uses."""
