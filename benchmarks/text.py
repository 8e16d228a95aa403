"""Decode speed through the studio (HTTP, queue, worker) against the bare engine: same prompt, same threads, in turns. `python benchmarks/text.py`"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from tests.running import Running, running  # noqa: E402

ROUNDS, TOKENS, TURN = 7, 200, 1500
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


def folder_model(folder: Path) -> None:
    """A Llama of about 30 million random weights with the tests' tokenizer: speed does not ask what the weights mean."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.text_models import make_folder

    make_folder(folder)
    torch.manual_seed(0)
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = LlamaConfig(vocab_size=vocabulary, hidden_size=512, intermediate_size=1536, num_hidden_layers=10, num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=2048, eos_token_id=2, bos_token_id=1)
    LlamaForCausalLM(config).save_pretrained(folder)


BARE_FOLDER = """
import sys, time, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
ids = AutoTokenizer.from_pretrained(sys.argv[1])("the house the house the house", return_tensors="pt").input_ids
for line in sys.stdin:
    n = int(line); times = []
    class Clock:
        def put(self, value): times.append(time.perf_counter())
        def end(self): pass
    with torch.inference_mode():
        model.generate(ids, max_new_tokens=n, min_new_tokens=n, do_sample=False, streamer=Clock(), pad_token_id=0)
    print((len(times) - 2) / (times[-1] - times[1]), flush=True)
"""


def bare_folder_speed(engine: subprocess.Popen[str]) -> float:
    assert engine.stdin is not None and engine.stdout is not None
    engine.stdin.write(f"{TOKENS}\n")
    engine.stdin.flush()
    return float(engine.stdout.readline())


def studio_folder_speed(studio: Running) -> float:
    values = {"model": "bench", "prompt": "the house the house the house", "max_tokens": TOKENS, "temperature": 0, "logit_bias": {"2": -100.0}}
    summary = studio.wait(studio.post("/api/v1/pipelines/text.complete", **values)["id"], 120)["summary"]
    assert summary["tokens"] == TOKENS and summary["engine"] == "transformers", summary
    return float(summary["tokens_per_second"])


def in_turns(engine: subprocess.Popen[str], bare: Callable[[subprocess.Popen[str]], float], through: Callable[[Running], float], studio: Running, name: str, wanted: float) -> float:
    """The median of the ratios of neighbouring runs."""
    bare(engine), through(studio)
    pairs = [(bare(engine), through(studio)) for _ in range(ROUNDS)]
    engine.kill()
    ratio = statistics.median(mine / other for other, mine in pairs)
    alone, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"decode, {name}: bare {alone:.1f} tokens/s, through the studio {whole:.1f} tokens/s, ratio {ratio:.3f} (wanted {wanted})", flush=True)
    return ratio


def first_token(studio: Running, messages: list[dict[str, str]], reuse: bool) -> float:
    from tests.running import MODEL

    job = studio.post("/api/v1/pipelines/text.chat", model=MODEL, messages=messages, max_tokens=8, temperature=0, reuse_prefix=reuse)["id"]
    return float(studio.wait(job, 120)["summary"]["first_token_seconds"])


PROBE = """
import json, sys
from xllamacpp import CommonParams, Server
p = CommonParams(); p.model.path = sys.argv[1]; p.n_ctx = 8192; p.n_parallel = 1; p.n_batch = p.n_ubatch = 64; p.cpuparams.n_threads = 1; p.warmup = False
server = Server(p)
for line in sys.stdin:
    answer = server.handle_chat_completions(json.loads(line) | {"logprobs": True, "top_logprobs": 8})
    steps = answer["choices"][0]["logprobs"]["content"]
    print(json.dumps([[step["id"], {other["id"]: other["logprob"] for other in step["top_logprobs"]}] for step in steps]), flush=True)
"""
TOPICS = ("sea", "mountain", "garden", "train")


def near_ties(engine: subprocess.Popen[str]) -> tuple[bool, float]:
    """(the same words again with the prefix reused, largest gap where they leave the words of a full prefill).

    The gap is in nats, under the full prefill, between its own token and the one chosen with the prefix reused: rounding can only
    turn a near-tie (0.3: neither token less than three quarters as likely as the other). Both runs share all tokens before it, so the comparison is teacher-forced.
    """
    def ask(messages: list[dict[str, str]], reuse: bool, count: int) -> list[Any]:
        assert engine.stdin is not None and engine.stdout is not None
        engine.stdin.write(json.dumps({"messages": messages, "max_tokens": count, "temperature": 0, "cache_prompt": reuse}) + "\n")
        engine.stdin.flush()
        while not (line := engine.stdout.readline()).startswith("[["):
            assert line, "the bare engine ended"
        return list(json.loads(line))

    same, worst, parted = True, 0.0, 0
    for topic in TOPICS:
        first = [{"role": "user", "content": f"Remember: {f'the boat sails by the calm {topic}, ' * 110}"}]
        second = [*first, {"role": "assistant", "content": "I will remember."}, {"role": "user", "content": f"Write a story about the {topic}."}]
        runs = []
        for _ in range(2):
            ask(first, True, 1)
            runs.append([step[0] for step in ask(second, True, 60)])
        same = same and runs[0] == runs[1]
        full = ask(second, False, 60)
        at = next((n for n, (step, token) in enumerate(zip(full, runs[0], strict=False)) if step[0] != token), -1)
        if at >= 0:
            parted += 1
            chances = full[at][1]
            worst = max(worst, chances[str(full[at][0])] - chances.get(str(runs[0][at]), -99.0))
    engine.kill()
    print(f"prefix reused: {'the same words again' if same else 'OTHER words on repetition'}; {parted} of {len(TOPICS)} chats part from a full prefill, at a tie within {worst:.3f} nats (wanted 0.3)", flush=True)
    return same, worst


def main() -> None:
    refuse_busy_machine()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with tempfile.TemporaryDirectory() as folder:
        folder_model(Path(folder) / "models" / "text" / "bench")
        with running(Path(folder), "--memory-limit", "8") as studio:
            model = next((Path(folder) / "models").rglob("*.gguf"))
            with subprocess.Popen([sys.executable, "-c", BARE, str(model)], **pipes) as engine:
                ratio = in_turns(engine, bare_speed, studio_speed, studio, "llama.cpp", 0.97)
            with subprocess.Popen([sys.executable, "-c", BARE_FOLDER, str(Path(folder) / "models" / "text" / "bench")], **pipes) as engine:
                second = in_turns(engine, bare_folder_speed, studio_folder_speed, studio, "transformers", 0.95)
            again, whole = turns(studio)
        with subprocess.Popen([sys.executable, "-c", PROBE, str(model)], **pipes) as engine:
            same, gap = near_ties(engine)
    print(f"first token of a later turn: {again:.2f} s with the prefix reused, {whole:.2f} s read anew, ratio {again / whole:.3f} (wanted 0.25)")
    raise SystemExit(0 if ratio >= 0.97 and second >= 0.95 and again / whole <= 0.25 and same and gap <= 0.3 else 1)


def turns(studio: Running) -> tuple[float, float]:
    """Seconds to the first token on a later turn of a 2,000-token chat: prefix reused, and everything read anew."""
    history = [{"role": "user", "content": "Remember this: " + "the boat sails on the calm sea, " * (TURN // 8)}, {"role": "assistant", "content": "I will remember the boat."}]
    first_token(studio, [*history, {"role": "user", "content": "Thanks."}], True)
    again = first_token(studio, [*history, {"role": "user", "content": "And now?"}], True)
    return again, first_token(studio, [*history, {"role": "user", "content": "And then?"}], False)


if __name__ == "__main__":
    main()
