"""What SmolLM2 as a judge model is worth, measured by `python -m experiments.smollm2 evaluate`.

`cells/` measure one model each and keep what they find, row by row; `results/` make figures, goals and pages of it.
"""
