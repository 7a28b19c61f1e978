"""What was tried and measured with the library: recipes over it, no part of what is installed."""
