"""One best-of-N request, from what was asked for to its answer.

Read from top to bottom:

    plan.py         whether to select, among how many candidates, judged by what, until when
    select.py       brings samples and judgments together, and reports the best
    run.py          runs the tournament: all samples at once, a match as soon as both of its sides are there
      sampler.py    one candidate, by vLLM's own chat handler; seeds.py, prefill.py
      constraints.py, json_schema.py   whether it keeps the schema or tool call that was asked for
      judging/      compares two candidates in both orders
    response.py     builds the ChatCompletion, whole or as chunks
    log_entry.py    what the log of tournaments tells of it

`run` joins two things that know nothing of each other: the bracket (`selfjudge.Tournament`), which is pure and says
which matches are ready, and two coroutines, which bring candidates and compare them.
"""
