"""What is measured of one model: answers, judgments, likelihoods, each kept raw."""
