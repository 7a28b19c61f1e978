"""What is trained on: preference pairs and demonstrations, wherever they come from, and the JSFT set made of them."""
