"""Decode speed through the studio (HTTP, queue, worker) against the bare engine: same prompt, same threads, in turns. `python benchmarks/text.py`"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from tests.running import Running, running  # noqa: E402

ROUNDS, TOKENS, TURN = 5, 200, 1500
QUESTION = "Write a long story about the sea."
BARE = """
import json, sys
from xllamacpp import CommonParams, Server
p = CommonParams(); p.model.path = sys.argv[1]; p.n_ctx = 8192; p.n_parallel = 1; p.n_batch = p.n_ubatch = 64; p.cpuparams.n_threads = 1; p.warmup = False
server = Server(p)
for line in sys.stdin:
    answer = server.handle_chat_completions(json.loads(line))
    print(json.dumps(answer["timings"]), flush=True)
"""


def bare_speed(engine: subprocess.Popen[str]) -> float:
    assert engine.stdin is not None and engine.stdout is not None
    asked = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True}
    engine.stdin.write(json.dumps(asked) + "\n")
    engine.stdin.flush()
    while not (line := engine.stdout.readline()).startswith("{"):
        assert line, "the bare engine ended"
    return float(json.loads(line)["predicted_per_second"])


def studio_speed(studio: Running) -> float:
    summary = studio.wait(studio.ask(QUESTION, max_tokens=TOKENS, temperature=0, logit_bias={}))["summary"]
    return float(summary["tokens_per_second"])


def first_token(studio: Running, messages: list[dict[str, str]], reuse: bool) -> float:
    from tests.running import MODEL

    job = studio.post("/api/v1/pipelines/text.chat", model=MODEL, messages=messages, max_tokens=8, temperature=0, reuse_prefix=reuse)["id"]
    return float(studio.wait(job, 120)["summary"]["first_token_seconds"])


def main() -> None:
    refuse_busy_machine()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "--memory-limit", "8") as studio:
        model = next((Path(folder) / "models").rglob("*.gguf"))
        with subprocess.Popen([sys.executable, "-c", BARE, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as engine:
            bare_speed(engine), studio_speed(studio)
            pairs = [(bare_speed(engine), studio_speed(studio)) for _ in range(ROUNDS)]
            engine.kill()
        bare, through = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(mine / other for other, mine in pairs)
        print(f"decode: bare llama.cpp {bare:.1f} tokens/s, through the studio {through:.1f} tokens/s, ratio {ratio:.3f} (wanted 0.97)")
        history = [{"role": "user", "content": "Remember this: " + "the boat sails on the calm sea, " * (TURN // 8)}, {"role": "assistant", "content": "I will remember the boat."}]
        first_token(studio, [*history, {"role": "user", "content": "Thanks."}], True)
        again = first_token(studio, [*history, {"role": "user", "content": "And now?"}], True)
        whole = first_token(studio, [*history, {"role": "user", "content": "And then?"}], False)
        print(f"first token of a later turn: {again:.2f} s with the prefix reused, {whole:.2f} s read anew, ratio {again / whole:.3f} (wanted 0.25)")
    raise SystemExit(0 if ratio >= 0.97 and again / whole <= 0.25 else 1)


if __name__ == "__main__":
    main()
