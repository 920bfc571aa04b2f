"""What mmap_lock alone does not say: exercises of notebook 08."""
