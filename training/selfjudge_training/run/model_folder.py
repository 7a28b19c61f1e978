"""The model folder that a stage leaves: weights, tokenizer, and generation settings that know where an answer ends.

A base model's settings know its end-of-sequence token only, but what was trained ends its turns as the chat template
does; served without that token among its settings, it would talk on for both sides.
"""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from selfjudge import Chat, SafeTokenizer


def save_model_folder(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a folder that AutoModelForCausalLM, AutoTokenizer and vLLM load.

    Tokens at which the model's settings stopped before stay among them. Raises ChatTemplateError where the chat
    template ends no turn by a control token.
    """
    before = model.generation_config.eos_token_id
    known = [before] if isinstance(before, int) else before or []
    model.generation_config.eos_token_id = sorted({*known, *Chat(SafeTokenizer(tokenizer)).end_ids()})
    model.config.use_cache = True  # Transformers' trainer turns it off
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors keeps its files from other users
