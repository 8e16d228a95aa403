"""Real speech architectures with tiny random weights, saved in the real formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'-"


def vits(folder: Path, *, speakers: int = 1, **words: Any) -> Path:
    """As MMS is published: VitsModel with a tokenizer of single letters."""
    import torch
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    torch.manual_seed(5)
    config = VitsConfig(
        vocab_size=len(LETTERS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=32, flow_size=16, spectrogram_bins=17, duration_predictor_filter_channels=16,
        prior_encoder_num_flows=2, posterior_encoder_num_wavenet_layers=2, prior_encoder_num_wavenet_layers=2, upsample_initial_channel=32, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]], num_speakers=speakers, speaker_embedding_size=8 if speakers > 1 else 0, depth_separable_num_layers=2, duration_predictor_num_flows=2,
    )  # fmt: skip
    VitsModel(config).eval().save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({letter: number for number, letter in enumerate(LETTERS)}))
    given = {"language": "eng", "phonemize": False, "is_uroman": False, "pad_token": "_", "unk_token": "_"} | words
    VitsTokenizer(str(folder / "vocab.json"), **given).save_pretrained(folder)
    return folder


def speecht5(folder: Path) -> Path:
    import sentencepiece
    import torch
    from transformers import SpeechT5Config, SpeechT5ForTextToSpeech, SpeechT5Tokenizer

    folder.mkdir(parents=True)
    text = folder / "words.txt"
    text.write_text("\n".join(["hello there, my friend.", "the quick brown fox jumps over the lazy dog!", "what is it?"] * 4))
    sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(folder / "spm_char"), model_type="char", vocab_size=36, hard_vocab_limit=False, bos_id=0, pad_id=1, eos_id=2, unk_id=3, minloglevel=2)
    text.unlink()
    tokenizer = SpeechT5Tokenizer(str(folder / "spm_char.model"))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(6)
    config = SpeechT5Config(
        vocab_size=len(tokenizer) + 2, hidden_size=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=16,
        speech_decoder_prenet_units=16, speech_decoder_postnet_units=16, speaker_embedding_dim=24, conv_dim=[8], conv_stride=[2], conv_kernel=[2], num_feat_extract_layers=1,
    )  # fmt: skip
    SpeechT5ForTextToSpeech(config).eval().save_pretrained(folder)
    return folder


def vocoder(folder: Path) -> Path:
    import torch
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    torch.manual_seed(7)
    config = SpeechT5HifiGanConfig(model_in_dim=16, upsample_initial_channel=16, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]])
    SpeechT5HifiGan(config).eval().save_pretrained(folder)
    return folder


def bark(folder: Path) -> Path:
    import torch
    from transformers import BarkConfig, BarkModel, BertTokenizer, EncodecConfig
    from transformers.models.bark import BarkCoarseConfig, BarkFineConfig, BarkSemanticConfig

    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), ".", ","]))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(8)
    small = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "block_size": 1024}
    codec = EncodecConfig(hidden_size=16, num_filters=4, num_residual_layers=1, upsampling_ratios=[8, 5, 4, 2], codebook_size=1024, codebook_dim=16, num_lstm_layers=1, target_bandwidths=[6.0])
    config = BarkConfig(
        semantic_config=BarkSemanticConfig(input_vocab_size=129_600, output_vocab_size=10_048, **small), coarse_acoustics_config=BarkCoarseConfig(input_vocab_size=12_096, output_vocab_size=12_096, **small),
        fine_acoustics_config=BarkFineConfig(input_vocab_size=1056, output_vocab_size=1056, n_codes_total=8, n_codes_given=1, **small), codec_config=codec,
    )  # fmt: skip
    model = BarkModel(config).eval()
    for part in (model.semantic, model.coarse_acoustics):
        part.lm_head.weight.data *= 100  # a trained network is sure of something: chance alone would not show who speaks
    for layer in model.codec_model.quantizer.layers:
        layer.codebook.embed.normal_()  # they begin as zeros: every code would sound alike
    model.save_pretrained(folder)
    told = {"semantic_config": {"max_new_tokens": 12, "do_sample": True}, "coarse_acoustics_config": {"do_sample": True}, "fine_acoustics_config": {}, "sample_rate": 24000, "codebook_size": 1024}
    (folder / "generation_config.json").write_text(json.dumps(told))
    _preset(folder)
    return folder


def _preset(folder: Path) -> None:
    rng = np.random.default_rng(1)
    parts = {"semantic_prompt": rng.integers(0, 10_000, 20), "coarse_prompt": rng.integers(0, 1024, (2, 30)), "fine_prompt": rng.integers(0, 1024, (8, 30))}
    (folder / "speaker_embeddings" / "v2").mkdir(parents=True)
    named = {part: f"speaker_embeddings/v2/en_speaker_1_{part}.npy" for part in parts}
    for part, values in parts.items():
        np.save(folder / named[part], values)
    lost = {part: f"speaker_embeddings/v2/de_speaker_1_{part}.npy" for part in parts}
    (folder / "speaker_embeddings_path.json").write_text(json.dumps({"repo_or_path": "suno/bark", "v2/en_speaker_1": named, "v2/de_speaker_1": lost}))
