"""Sends one request with best_of_n, as the `helm test` pod; exits non-zero unless a tournament answered it."""

import json
import os
from urllib.request import Request, urlopen

BEST_OF_N = 4
QUESTION = "Write a tweet about rain in lower case with two hashtags."
body = {"messages": [{"role": "user", "content": QUESTION}], "best_of_n": BEST_OF_N, "max_tokens": 64}
headers = {"Content-Type": "application/json"}
if keys := os.environ.get("SELFJUDGE_API_KEYS"):
    first = json.loads(keys)[0] if keys.lstrip().startswith("[") else keys.split(",")[0].strip()
    headers["Authorization"] = f"Bearer {first}"
request = Request(os.environ["URL"], json.dumps(body).encode(), headers)  # noqa: S310  the chart's own Service
with urlopen(request, timeout=300) as answer:  # noqa: S310
    completion = json.load(answer)
print(json.dumps(completion, indent=1))
if completion["self_rejection"]["candidates_finished"] != BEST_OF_N:
    raise SystemExit(f"not {BEST_OF_N} candidates finished")
