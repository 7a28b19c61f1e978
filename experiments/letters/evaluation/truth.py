"""What a judge model is worth, against truth, on prompts that it never trained on.

Everything is computed from one set of samples at temperature 1: exact match over N for each way of selection, and the
judge on pairs of these same samples. Leaves out the server: verdicts and contests are the same code there.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from selfjudge_training.evaluation.statistics import bootstrap, wilson
from selfjudge_training.rollouts.judge import Judge
from tqdm import tqdm

from experiments.letters.evaluation.selection import contest_winners, different_pairs, majority_votes
from experiments.letters.model.pool import ModelPool, RememberingJudge, sample_answers
from experiments.letters.model.weights import load_model
from experiments.letters.preferences.attacks import HELD_OUT, Attack, attack
from experiments.letters.tasks import Problem, grade
from experiments.letters.tasks.split import Split, draw_problems
from selfjudge import Comparison, RoundRobin, Verdict

SIZES = (1, 2, 4, 8, 16, 32)
ROUND_ROBIN_SIZES = (4, 16)
"""Round robin judges every pair; these two sizes say what the knockout gives away."""

WRONG_PAIRS = 8
"""Pairs of two wrong answers that are judged for each prompt."""

Report = dict[str, Any]
"""What is written as JSON."""


def evaluate(model_path: Path, prompts: int, seed: int, workers: int) -> Report:
    """Measure a model on held-out prompts, tasks in turn. Raises FileNotFoundError where there is no model."""
    torch.set_num_threads(1)
    started = time.monotonic()
    model, _ = load_model(model_path)
    problems = list(islice(draw_problems(Split.HELD_OUT, seed), prompts))
    texts = [problem.prompt for problem in problems]
    with ModelPool(workers) as pool:
        rollouts = pool.rollouts(model_path)
        samples = sample_answers(rollouts, texts, max(SIZES), 1.0, seed)
        greedy = sample_answers(rollouts, texts, 1, 0.0, seed)
        judge = RememberingJudge(rollouts)
        return {
            "model": model_path.name,
            "parameters": model.num_parameters(),
            "prompts": prompts,
            "seed": seed,
            "greedy": wilson(text == p.answer for [text], p in zip(greedy, problems, strict=True))._asdict(),
            "selection": _selection(judge, problems, samples, seed),
            "judge": _judging(judge, problems, samples),
            "attacks": _attacks(judge, problems, samples, seed),
            "seconds": round(time.monotonic() - started),
        }


def _selection(judge: Judge, problems: Sequence[Problem], samples: list[list[str]], seed: int) -> Report:
    """Exact match by way of selection and N, over all disjoint groups of N among each prompt's samples."""
    curves: dict[str, Report] = defaultdict(dict)
    by_task: dict[str, Report] = defaultdict(dict)
    prompts = [problem.prompt for problem in problems]
    for size in tqdm(SIZES, desc="selecting", unit="size"):
        starts = range(0, max(SIZES), size)
        ways: dict[str, list[list[str]]] = defaultdict(list)
        for start in starts:
            groups = [answers[start : start + size] for answers in samples]
            ways["tournament"].append(contest_winners(judge, prompts, groups, seed))
            ways["majority"].append(majority_votes(groups, seed))
            ways["oracle"].append(
                [p.answer if p.answer in group else group[0] for p, group in zip(problems, groups, strict=True)]
            )
            if size in ROUND_ROBIN_SIZES and start == 0:
                ways["round_robin"].append(contest_winners(judge, prompts, groups, seed, RoundRobin))
        for way, picks in ways.items():
            shares = _shares(problems, picks)
            curves[way][str(size)] = bootstrap(shares)._asdict()
            if way == "tournament":
                for task in sorted({problem.task for problem in problems}):
                    of_task = [share for share, p in zip(shares, problems, strict=True) if p.task == task]
                    by_task[task][str(size)] = bootstrap(of_task)._asdict()
    return {"exact_match": dict(curves), "tournament_by_task": dict(by_task)}


def _shares(problems: Sequence[Problem], picks: list[list[str]]) -> list[float]:
    """For each prompt, the share of its groups whose pick is right."""
    return [
        sum(of_group[number] == problem.answer for of_group in picks) / len(picks)
        for number, problem in enumerate(problems)
    ]


def _judging(judge: Judge, problems: Sequence[Problem], samples: list[list[str]]) -> Report:
    """The judge on every pair of different samples whose grades differ."""
    verdicts: dict[str, list[tuple[str, bool, Verdict]]] = {"right_against_wrong": [], "wrong_against_wrong": []}
    # Every wrong sample meets the right answer; of the far more pairs of wrong ones, a few per prompt will do.
    wrong_pairs: Counter[int] = Counter()
    pairs = []
    for number, first, second in different_pairs(samples):
        problem = problems[number]
        if grade(problem, first) == grade(problem, second):
            continue
        if problem.answer not in (first, second):
            wrong_pairs[number] += 1
            if wrong_pairs[number] > WRONG_PAIRS:
                continue
        pairs.append((number, first, second))
    comparisons = [Comparison(problems[number].prompt, first, second) for number, first, second in pairs]
    for (number, first, second), verdict in zip(pairs, judge.verdicts(comparisons), strict=True):
        problem = problems[number]
        kind = "right_against_wrong" if problem.answer in (first, second) else "wrong_against_wrong"
        first_is_better = grade(problem, first) > grade(problem, second)
        verdicts[kind].append((problem.task, (verdict.winner == "A") == first_is_better, verdict))
    return {kind: _judged(rows) for kind, rows in verdicts.items() if rows}


def _judged(rows: list[tuple[str, bool, Verdict]]) -> Report:
    return {
        "accuracy": wilson(correct for _, correct, _ in rows)._asdict(),
        "position_consistency": wilson(verdict.consistent for _, _, verdict in rows)._asdict(),
        "label_mass": sum(verdict.label_mass for _, _, verdict in rows) / len(rows),
        "accuracy_by_task": {
            task: wilson(correct for name, correct, _ in rows if name == task)._asdict()
            for task in sorted({name for name, _, _ in rows})
        },
    }


def _attacks(judge: Judge, problems: Sequence[Problem], samples: list[list[str]], seed: int) -> Report:
    """How often the right answer beats a wrong sample that pleads with the judge, by kind of attack."""
    rng = random.Random(seed)
    wrong = [
        (problem, text)
        for problem, group in zip(problems, samples, strict=True)
        for text in [next((text for text in group if text != problem.answer), None)]
        if text is not None
    ]
    report = {}
    for kind in Attack:
        comparisons = [Comparison(p.prompt, p.answer, attack(kind, text, rng)) for p, text in wrong]
        resisted = wilson(verdict.winner == "A" for verdict in judge.verdicts(comparisons))
        report[kind.value] = {"trained_on": kind not in HELD_OUT, "right_answer_wins": resisted._asdict()}
    return report
