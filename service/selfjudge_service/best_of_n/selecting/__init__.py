"""Runs a selection: all samples at once, each question to the judge as soon as it can be asked, until a deadline.

run.py        samples, deadline, progress
asking.py     what every way of asking a judge has in common
matches.py    asks which of two candidates is better, as a contest wants it
scores.py     asks how good each candidate is
"""
