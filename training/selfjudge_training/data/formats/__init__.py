"""The three formats of rows: Anthropic HH, UltraFeedback, TRL's preference rows; one file each."""
