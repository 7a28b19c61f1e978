"""`selfjudge-train evaluate policy`: what a policy's answers are worth, and what self-rejection adds."""
