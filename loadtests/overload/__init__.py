"""Whether requests beyond capacity are answered in time, or refused with a time to retry that holds.

    beyond.py          the experiment
    phases.py          what is sent: closed loops, open-loop arrivals, a retrying crowd
    tally.py           from requests to figures
    overload_page.py   page and plot

1. Capacity: more and more clients in closed loops, up to the number of tournaments that the server's limit of
   candidates admits at once. The server is full, and no request waits.
2. Company: three times as many clients.
3. Overload: Poisson arrivals at ten times the capacity, without retries.
4. A retrying crowd: as many requests as the server answers in some seconds, within a fraction of that time. A refused
   request is sent again after the time that `Retry-After` named, until it is answered. The crowd starts after the last
   retry time given in phase 3, because the server still takes those requests into account.

Everything is measured twice: with the default queue, and with a small one (`--queue-share`).
"""
