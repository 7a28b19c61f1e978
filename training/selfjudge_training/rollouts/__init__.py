"""Roll-outs of on-policy self-training (section 3.2): samples of the policy, and the frozen reference's judgments."""
