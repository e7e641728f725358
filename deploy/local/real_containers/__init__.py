"""The containers for real: whatever this starts or makes it takes away again, and no real image is ever replaced."""
