"""Text as token ids: encoding in which only trusted text can hold control tokens, and chat templates around it."""
