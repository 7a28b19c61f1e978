"""The tiny model, from nothing, and what it is made of: instructions about letters and numbers.

`python -m experiments.letters build` makes it.
"""
