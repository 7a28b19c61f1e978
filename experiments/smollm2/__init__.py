"""SmolLM2-135M-Instruct made a judge of its own answers: how, and what that is worth.

`tasks/` are instructions that a program can verify; `recipe.yaml` has every number; `smollm2_plan.py` is the way from
the base to the adapter that ships, and on: sample, verify, train, mine what fools the judge, train again, self-train.
`evidence/` measures it.
"""
