"""Admission: a request runs, waits or is refused with its whole tournament, never with half of one.

    queue.py       the rules: limits, first come first served, limits of each caller (pure, no clock, no event loop)
    throughput.py  how fast candidates finish, and from that the Retry-After of a refusal
    admission.py   waiting, deadlines and hang-ups

Weight is counted in candidates. A tournament of N weighs N: N samples and N - 1 matches, which cost about as much
(docs/results/speed.md). A plain answer weighs 1 for each choice, a comparison by `/judge` 1 for each principle, and
`/v1/rank` as a tournament of its candidates. Plain answers are admitted too, or they would starve tournaments.

The queue is first come, first served, so that small requests don't overtake a tournament of 64 for ever. Limits are
those of one server process.
"""
