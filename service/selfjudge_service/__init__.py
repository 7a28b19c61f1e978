"""The inference server: selection and judging as a plugin of vLLM's OpenAI server, and its launcher."""
