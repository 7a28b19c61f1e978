"""What a checkpoint of self-training holds: the adapter and AdamW's averages, as safetensors, bit for bit.

Nothing else is needed to go on: prompts, seeds and the learning rate are functions of the step.
"""

from pathlib import Path

import torch
from peft import PeftModel, load_peft_weights, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

OPTIMIZER = "optimizer.safetensors"


def trained_parameters(policy: PeftModel) -> dict[str, torch.nn.Parameter]:
    """The adapter's parameters by name, in the order in which optimizer and gradients have them."""
    return {name: parameter for name, parameter in policy.named_parameters() if parameter.requires_grad}


def write_state(policy: PeftModel, optimizer: torch.optim.Optimizer, folder: Path) -> None:
    """Write both into an empty folder."""
    policy.save_pretrained(str(folder), save_embedding_layers=False)
    tensors = {
        f"{name}:{key}": value
        for name, parameter in trained_parameters(policy).items()
        for key, value in optimizer.state[parameter].items()
    }
    save_file(tensors, folder / OPTIMIZER)


def read_state(policy: PeftModel, optimizer: torch.optim.Optimizer, folder: Path) -> None:
    """Set both to what was written."""
    set_peft_model_state_dict(policy, load_peft_weights(str(folder), device=str(policy.device)))
    parameters = trained_parameters(policy)
    for label, tensor in load_file(folder / OPTIMIZER).items():
        name, _, key = label.rpartition(":")
        # AdamW counts its steps on the CPU, wherever the averages are.
        optimizer.state[parameters[name]][key] = tensor if key == "step" else tensor.to(policy.device)
