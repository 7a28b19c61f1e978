"""One best-of-N request, from what was asked for to its answer.

Read from top to bottom:

    plan.py         whether to select, among how many candidates, judged by what, until when
    methods.py      by a tournament or by scores
    select.py       brings samples and judgments together, and reports the best
      sampler.py    one candidate, by vLLM's own chat handler; seeds.py, prefill.py
      constraints.py, json_schema.py   whether it keeps the schema or tool call that was asked for
      selecting/    runs the selection: all samples at once, each question to the judge as soon as it can be asked
      judging/      compares two candidates in both orders, or scores one
    response.py     builds the ChatCompletion, whole or as chunks
    log_entry.py    what the log of tournaments tells of it

`selecting/` joins things that know nothing of each other: the method (`selfjudge.Tournament`, `selfjudge.BestScore`),
which is pure and says what is to be asked, and coroutines, which bring candidates and judge them.
"""
