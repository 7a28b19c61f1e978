"""Swaps under load: a policy's active version is switched again and again while clients ask for tournaments.

    switching.py    the experiment: without swaps, with, and without again
    letters.py      adapters that write in alphabets of their own, so that every answer shows whose weights made it
    askers.py       clients that ask all the time, and their answers
    checks.py       figures, and what must hold of them
    swaps_page.py   page and plot

Several replicas are not measured: they share no engine.
"""
