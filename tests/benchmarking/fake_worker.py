"""Speaks the worker's protocol with known times: python fake_worker.py TIMES_MS [misbehaviour]."""

import json
import os
import sys
import time

times_ms = json.loads(sys.argv[1])
behaviour = sys.argv[2] if len(sys.argv) > 2 else ""
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(answer):
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if behaviour == "silent":
    time.sleep(60)
if behaviour == "chatty":
    os.write(1, b"a library says hello\n")
say({"open": True})
for line in sys.stdin:
    request = json.loads(line)
    if behaviour == "crash" and request["do"] == "turn":
        sys.exit("ValueError: the last straw")
    if behaviour == "babble":
        answers.write("not JSON\n")
        answers.flush()
    say({"warm_up_calls": 20} if request["do"] == "prepare" else {"times_ms": times_ms})
