"""What it is worth, against truth."""
