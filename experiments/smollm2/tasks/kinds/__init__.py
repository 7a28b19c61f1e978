"""Kinds of constraints: each with a verifier, and the edits that keep or break it."""
