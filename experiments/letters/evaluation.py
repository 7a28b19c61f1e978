"""What a judge model is worth, against truth, on prompts that it never trained on.

Everything is computed from one set of samples at temperature 1: exact match over N for each way of selection, and the
judge on pairs of these same samples. Leaves out the server: verdicts and contests are the same code there.
"""

import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, combinations, islice
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from matplotlib.figure import Figure
from selfjudge_training.evaluation.plots import GREEN, GREY, RED
from selfjudge_training.evaluation.policy.contests import winners
from selfjudge_training.evaluation.statistics import bootstrap, wilson
from selfjudge_training.rollouts.judge import Judge
from tqdm import tqdm

from experiments.letters.model import RememberingJudge, load_model, load_rollouts, sample_answers
from experiments.letters.preferences.wrong import ATTACKS, HELD_OUT, attack
from experiments.letters.tasks import Problem, Split, draw_problems, grade
from selfjudge import Comparison, Contest, RoundRobin, Tournament

SIZES = (1, 2, 4, 8, 16, 32)
ROUND_ROBIN_SIZES = (4, 16)
"""Round robin judges every pair; these two sizes say what the knockout gives away."""

WRONG_PAIRS = 8
"""Pairs of two wrong answers that are judged for each prompt."""

CURVES = {
    "oracle": ("best of N (oracle)", GREY, "--"),
    "tournament": ("tournament, the model its own judge", GREEN, "-"),
    "majority": ("majority vote", RED, "-"),
}

Report = dict[str, Any]
"""What is written as JSON."""

Groups = Sequence[Sequence[str]]
"""For each prompt, its N samples."""


def evaluate(model_path: Path, prompts: int, seed: int) -> Report:
    """Measure a model on held-out prompts, tasks in turn. Raises FileNotFoundError where there is no model."""
    torch.set_num_threads(1)
    started, rollouts = time.monotonic(), load_rollouts(model_path)
    problems = list(islice(draw_problems(Split.HELD_OUT, seed), prompts))
    texts = [problem.prompt for problem in problems]
    samples = sample_answers(rollouts, texts, max(SIZES), 1.0, seed)
    greedy = sample_answers(rollouts, texts, 1, 0.0, seed)
    judge = RememberingJudge(rollouts)
    return {
        "model": model_path.name,
        "parameters": load_model(model_path)[0].num_parameters(),
        "prompts": prompts,
        "seed": seed,
        "greedy": wilson(text == p.answer for [text], p in zip(greedy, problems, strict=True))._asdict(),
        "selection": _selection(judge, problems, samples, seed),
        "judge": _judging(judge, problems, samples),
        "attacks": _attacks(judge, problems, samples, seed),
        "seconds": round(time.monotonic() - started),
    }


def write_results(report: Report, directory: Path) -> list[Path]:
    """Write ``model-evaluation.json``, and its curve over N as ``.png``; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    numbers, picture = directory / "model-evaluation.json", directory / "model-evaluation.png"
    numbers.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for way, (label, colour, line) in CURVES.items():
        points = report["selection"]["exact_match"][way].values()
        axes.plot(SIZES, [point["mean"] for point in points], line, marker="o", color=colour, label=label)
        low, high = ([point[bound] for point in points] for bound in ("low", "high"))
        axes.fill_between(SIZES, low, high, color=colour, alpha=0.15, lw=0)
    axes.axhline(report["greedy"]["mean"], color="#4062bb", lw=1, ls=":", label="greedy decoding")
    axes.set_xscale("log", base=2)
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.set(ylim=(0, 1.02), xlabel="N, samples at temperature 1", ylabel="exact match")
    axes.set_title(f"{report['model']}: {report['prompts']} held-out prompts, 95% intervals")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(picture, dpi=150)
    return [numbers, picture]


def contest_winners(
    judge: Judge, prompts: Sequence[str], groups: Groups, seed: int, kind: Callable[..., Contest] = Tournament
) -> list[str]:
    """The winner of each prompt's contest."""
    best = winners(judge.verdicts, prompts, groups, seed, kind)
    return [group[index] for group, index in zip(groups, best, strict=True)]


def majority_votes(groups: Groups, seed: int) -> list[str]:
    """The most frequent sample of each prompt; among equally frequent ones, one at random."""
    rng = random.Random(seed)
    counts = [Counter(group) for group in groups]
    return [rng.choice([text for text in count if count[text] == max(count.values())]) for count in counts]


def _selection(judge: Judge, problems: Sequence[Problem], samples: Groups, seed: int) -> Report:
    """Exact match by way of selection and N, over all disjoint groups of N among each prompt's samples."""
    curves: dict[str, Report] = defaultdict(dict)
    by_task: dict[str, Report] = defaultdict(dict)
    contest = partial(contest_winners, judge, [problem.prompt for problem in problems], seed=seed)
    for size in tqdm(SIZES, desc="selecting", unit="size"):
        starts = range(0, max(SIZES), size)
        divided = [[answers[start : start + size] for answers in samples] for start in starts]
        picks = {
            "tournament": [contest(groups) for groups in divided],
            "majority": [majority_votes(groups, seed) for groups in divided],
            "oracle": [
                [p.answer if p.answer in group else group[0] for p, group in zip(problems, groups, strict=True)]
                for groups in divided
            ],
        }
        if size in ROUND_ROBIN_SIZES:
            picks["round_robin"] = [contest(divided[0], kind=RoundRobin)]
        # For each prompt, the share of its groups whose pick is right.
        shares = {
            way: [fmean(text == p.answer for text in texts) for p, *texts in zip(problems, *picked, strict=True)]
            for way, picked in picks.items()
        }
        for way, values in shares.items():
            curves[way][str(size)] = bootstrap(values)._asdict()
        for task in sorted({problem.task for problem in problems}):
            of_task = [share for share, p in zip(shares["tournament"], problems, strict=True) if p.task == task]
            by_task[task][str(size)] = bootstrap(of_task)._asdict()
    return {"exact_match": curves, "tournament_by_task": by_task}


def _judging(judge: Judge, problems: Sequence[Problem], samples: Groups) -> Report:
    """The judge on pairs of different samples whose grades differ."""
    pairs: dict[str, list[tuple[Problem, str, str]]] = {"right_against_wrong": [], "wrong_against_wrong": []}
    for problem, group in zip(problems, samples, strict=True):
        graded = {text: grade(problem, text) for text in group}
        told_apart = [pair for pair in combinations(graded, 2) if graded[pair[0]] != graded[pair[1]]]
        # Every wrong sample meets the right answer; of the far more pairs of wrong ones, a few per prompt will do.
        both_wrong = [pair for pair in told_apart if problem.answer not in pair][:WRONG_PAIRS]
        pairs["right_against_wrong"] += [(problem, *pair) for pair in told_apart if problem.answer in pair]
        pairs["wrong_against_wrong"] += [(problem, *pair) for pair in both_wrong]
    return {kind: _judged(judge, found) for kind, found in pairs.items() if found}


def _judged(judge: Judge, pairs: Sequence[tuple[Problem, str, str]]) -> Report:
    verdicts = judge.verdicts([Comparison(problem.prompt, first, second) for problem, first, second in pairs])
    correct: dict[str, list[bool]] = defaultdict(list)
    for (problem, first, second), verdict in zip(pairs, verdicts, strict=True):
        correct[problem.task].append((verdict.winner == "A") == (grade(problem, first) > grade(problem, second)))
    return {
        "accuracy": wilson(chain.from_iterable(correct.values()))._asdict(),
        "position_consistency": wilson(verdict.consistent for verdict in verdicts)._asdict(),
        "label_mass": fmean(verdict.label_mass for verdict in verdicts),
        "accuracy_by_task": {task: wilson(correct[task])._asdict() for task in sorted(correct)},
    }


def _attacks(judge: Judge, problems: Sequence[Problem], samples: Groups, seed: int) -> Report:
    """How often the right answer beats a wrong sample that pleads with the judge, by kind of attack."""
    rng, wrong = random.Random(seed), list[tuple[Problem, str]]()
    for problem, group in zip(problems, samples, strict=True):
        wrong += [(problem, text) for text in group if text != problem.answer][:1]
    report: Report = {}
    for kind in ATTACKS:
        attacked = [Comparison(p.prompt, p.answer, attack(kind, text, rng)) for p, text in wrong]
        resisted = wilson(verdict.winner == "A" for verdict in judge.verdicts(attacked))
        report[kind] = {"trained_on": kind not in HELD_OUT, "right_answer_wins": resisted._asdict()}
    return report
