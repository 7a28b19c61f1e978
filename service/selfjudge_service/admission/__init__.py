"""Who may start work, and who waits or is sent away: whole tournaments are admitted, never half of one.

    queue.py       the rules: limits, first come first served, limits of each caller (pure, no clock, no event loop)
    throughput.py  how fast candidates finish, and from that when a refused caller should come back
    admission.py   waiting, deadlines and hang-ups on top

Work is weighed in candidates. A tournament of N weighs N: that is N samples and their N - 1 matches, which cost about
as much (docs/results/speed.md). A plain answer weighs 1 for each choice, a comparison by `/judge` 1 for each principle,
and `/v1/rank` as a tournament of its candidates. Plain answers are admitted too, or they would starve tournaments.

Leaves out fairness beyond limits of each key: the queue is first come, first served, so that a tournament of 64 isn't
overtaken by small ones for ever. Limits are those of one server process; replicas know nothing of each other.
"""
