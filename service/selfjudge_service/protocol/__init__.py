"""What callers send, validated, and every error they can meet."""
