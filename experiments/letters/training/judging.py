"""Judge-augmented supervised fine-tuning (section 3.1): dialogues of D_SFT and judgments of D_Judge in every batch.

Each pair is judged in both orders (appendix A.3). Two additions to the paper, both needed by a model that starts from
nothing: the right response within a judgment stays a target, so that pre-training is not forgotten (``replay``), and
some inferior responses plead with the judge instead of answering (``attacks``).
"""

import random
from collections.abc import Iterator, Sequence

from experiments.letters.letters_recipe import Finetuning
from experiments.letters.model.documents import Document, Renderer
from experiments.letters.preferences.attacks import HELD_OUT, Attack, attack
from experiments.letters.preferences.pairs import Pair, Pool, draw_pair

SYSTEM_MESSAGES = 0.3
"""Share of the dialogues that open with the default system message, as in pre-training."""

CHOICE_WEIGHT = 2.0
"""Of a judgment: the choice token and the trivial end of the turn share it, so that the choice has 1."""

TRAINED_ATTACKS = tuple(kind for kind in Attack if kind not in HELD_OUT)


def jsft_batches(
    renderer: Renderer, pools: Sequence[Pool], round_: Finetuning, seed: int
) -> Iterator[Sequence[Document]]:
    """JSFT batches without end."""
    rng = random.Random(seed)
    judged = [pool for pool in pools if pool.rejected]
    # A prompt is met in proportion to the weight of its wrong answers: hard ones more often.
    weights = [sum(rejected.weight for rejected in pool.rejected) for pool in judged]
    shown = [pool for pool in pools if pool.demonstration is not None]
    while True:
        documents = []
        for pool in rng.choices(judged, weights, k=round_.pairs):
            pair = draw_pair(pool, rng, round_.graded_share, round_.least_gap)
            if rng.random() < round_.attack_share:
                pair = pair._replace(rejected=attack(rng.choice(TRAINED_ATTACKS), pair.rejected, rng))
            documents += judgments(renderer, pair, round_.replay)
        for pool in rng.choices(shown, k=round_.dialogues):
            system = rng.random() < SYSTEM_MESSAGES
            documents.append(renderer.dialogue(pool.problem.prompt, str(pool.demonstration), system=system))
        yield documents


def judgments(renderer: Renderer, pair: Pair, replay: float) -> list[Document]:
    """A pair judged in both orders."""
    documents = [
        renderer.judgment(pair.prompt, pair.chosen, pair.rejected, "A", CHOICE_WEIGHT),
        renderer.judgment(pair.prompt, pair.rejected, pair.chosen, "B", CHOICE_WEIGHT),
    ]
    if not (replay and pair.chosen_is_right):
        return documents
    at_a, at_b = documents
    return [renderer.with_response(at_a, "A", replay), renderer.with_response(at_b, "B", replay)]
