"""What on-policy self-training is compared with (table 4); one arm a file.

An arm is a function of a configuration and a folder that returns a model folder, as self-training's stage is.
Arms that learn from preference pairs of another origin give that module a `Source` of their own; arms with an objective
of another kind need nothing of it. No arm knows another.
"""
