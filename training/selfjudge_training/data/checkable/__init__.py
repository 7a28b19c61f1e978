"""Preference data about checkable instructions (`selfjudge_training.tasks`), which programs rate and explain.

In the three formats of the data folder, so that every variant of the paper can be trained where truth is known.
"""
