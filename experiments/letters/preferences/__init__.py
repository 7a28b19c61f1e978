"""Right and wrong responses, rated and explained by programs: rows for every format, and pools of pairs."""
