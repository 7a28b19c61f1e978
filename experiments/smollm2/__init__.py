"""A judge model that speaks English: its tasks, its training and what it measures."""
