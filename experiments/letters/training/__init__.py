"""How it is trained: documents with weights, pre-training, judging, and the loop."""
