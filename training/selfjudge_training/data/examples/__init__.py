"""From records to training examples in tokens, and what people look at of them."""
