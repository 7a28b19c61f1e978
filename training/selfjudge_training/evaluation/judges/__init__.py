"""Judges behind one interface (`judgment`): a model folder, a selfjudge server, a chat model, an answer key."""
