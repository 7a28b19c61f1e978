"""Preference data about checkable instructions (`training.tasks`), which programs rate and explain.

In the three formats of `training.data`, so that every variant of the paper can be trained where truth is known.
"""
