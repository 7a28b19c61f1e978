"""The formats of rows: Anthropic HH, UltraFeedback, TRL's preference rows, prompts, scored rows; one file each."""
