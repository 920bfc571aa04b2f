"""The explore room: searching all interleavings of a program, blind to what the program simulates."""
