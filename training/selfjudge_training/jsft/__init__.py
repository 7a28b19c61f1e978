"""Judge-augmented supervised fine-tuning (section 3.1) of any causal language model, on TRL's SFTTrainer."""
