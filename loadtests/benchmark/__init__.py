"""Speed: what a tournament costs, held by four contenders in turn.

contenders.py   what a contender is; the server by one request, and a client that holds the tournament itself
engine.py       the bound: the bare engine, given the same prompts in ideal batches
prompts.py      what is asked, by the model
bracket.py      the bracket as a client plays it
speed.py        the experiment: all cells, round by round
figures.py      ratios within a round, judge tokens, latencies
speed_page.py   page and plot
"""
