"""What a request passes before its route, from the outside in.

request_log.py     gives it an id and a span, and tells in one line how it ended
auth.py            API keys
body_limit.py      the largest body
availability.py    503 while the engine is down or the server shuts down (`selfjudge-serve` alone)
overload.py        429 where the server is full, before the body is read
vllm_routes.py     admission and policies' names on vLLM's own generating routes
"""
