"""`selfjudge-train evaluate judge`: what a judge is worth on preference pairs."""
