"""What every stage has in common: configuration, the folder a run writes into, its metrics and its checkpoints."""
