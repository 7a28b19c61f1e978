"""More than the server can do: is everybody either answered in time or told truthfully when to come back?

    beyond.py          the experiment
    phases.py          what is asked: clients in closed loops, arrivals in an open one, a crowd
    tally.py           from requests to figures
    overload_page.py   page and plot

1. Capacity: more and more clients in closed loops, up to as many as the server's limit of candidates lets run at once.
   Then it is full, and nobody waits: that is what is called at capacity here. Throughput may have stopped growing with
   fewer clients; what more of them cost is in the report.
2. Company: three times as many clients. They need not be refused: each can wait for its turn.
3. Overload: arrivals at random times, ten times the capacity, whatever becomes of them; nobody comes back.
4. A crowd: as many requests as the server can answer in some seconds, within a fraction of that time. A request that is
   refused comes back after the time that it was told, until it is answered. The crowd begins once those refused before
   would have come back, whom the server still takes into account.

All of it is measured twice, on servers that differ in their queue: by default requests wait, with `--queue-share` few
do.
"""
