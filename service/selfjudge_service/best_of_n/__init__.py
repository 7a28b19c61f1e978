"""One best-of-N request, from what was asked for to its answer.

Read from top to bottom:

    select.py       plans it: how many candidates, what to judge by, the deadline; then samples and judges
      by_default.py, equal_candidates.py   whether selection is worth it
    run.py          runs the tournament: all samples at once, a match as soon as both of its sides are there
      sampler.py    one candidate, by vLLM's own chat handler; seeds.py, prefill.py
      constraints.py, json_schema.py   whether it keeps the schema or tool call that was asked for
      judging/      compares two candidates in both orders
    response.py     builds the ChatCompletion, whole or as chunks
    log_entry.py    what the log of tournaments tells of it

`run` joins two things that know nothing of each other: the bracket (`selfjudge.Tournament`), which is pure and says
which matches are ready, and two coroutines, which bring candidates and compare them.
"""
