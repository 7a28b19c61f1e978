"""The commands of `selfjudge-train`: each a `registry.Command`; `cli` collects them."""
