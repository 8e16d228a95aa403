"""Real speech architectures with tiny random weights, saved in the real formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'-"


def vits(folder: Path, *, speakers: int = 1, letters: str = LETTERS, **words: Any) -> Path:
    """As MMS is published: VitsModel with a tokenizer of single letters."""
    import torch
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    torch.manual_seed(5)
    config = VitsConfig(
        vocab_size=len(letters), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=32, flow_size=16, spectrogram_bins=17, duration_predictor_filter_channels=16,
        prior_encoder_num_flows=2, posterior_encoder_num_wavenet_layers=2, prior_encoder_num_wavenet_layers=2, upsample_initial_channel=32, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]], num_speakers=speakers, speaker_embedding_size=8 if speakers > 1 else 0, depth_separable_num_layers=2, duration_predictor_num_flows=2,
    )  # fmt: skip
    VitsModel(config).eval().save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
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


def fastspeech(folder: Path, *, speakers: int = 1) -> Path:
    """As ESPnet's are published: the network with its vocoder, a vocabulary of ARPAbet."""
    import torch
    from transformers import FastSpeech2ConformerConfig, FastSpeech2ConformerHifiGanConfig, FastSpeech2ConformerWithHifiGan, FastSpeech2ConformerWithHifiGanConfig

    from pipelines.music.speech.arpabet import CONSONANTS, VOWELS

    sounds = [*sorted({*CONSONANTS.values()}), *(f"{vowel}{stress}" for vowel in sorted({*VOWELS.values()}) for stress in "012")]
    vocabulary = {word: number for number, word in enumerate(["<blank>", "<unk>", *sounds, ",", ".", "?", "!", "<sos/eos>"])}
    torch.manual_seed(9)
    network = FastSpeech2ConformerConfig(
        hidden_size=16, vocab_size=len(vocabulary), num_mel_bins=8, encoder_layers=1, decoder_layers=1, encoder_linear_units=24, decoder_linear_units=24, speech_decoder_postnet_layers=2, speech_decoder_postnet_units=8,
        duration_predictor_channels=8, energy_predictor_channels=8, pitch_predictor_channels=8, pitch_predictor_layers=2, num_speakers=speakers if speakers > 1 else None,
    )  # fmt: skip
    sound = FastSpeech2ConformerHifiGanConfig(model_in_dim=8, upsample_initial_channel=8, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]], initializer_range=0.25)
    model = FastSpeech2ConformerWithHifiGan(FastSpeech2ConformerWithHifiGanConfig(model_config=network.to_dict(), vocoder_config=sound.to_dict())).eval()
    model.model.duration_predictor.linear.bias.data.fill_(1.5)  # a trained network gives each sound its frames
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "FastSpeech2ConformerTokenizer", "should_strip_spaces": True}))
    return folder


def plain_words() -> Any:
    """Letters in the form that Llama's tokenizer comes in, with a beginning and an end."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(["<unk>", "<s>", "</s>", *map(chr, range(32, 127))])}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")  # type: ignore[assignment]
    words.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>")


def csm(folder: Path) -> Path:
    import torch
    from transformers import CsmConfig, CsmForConditionalGeneration

    torch.manual_seed(10)
    small = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "num_codebooks": 4, "vocab_size": 67, "initializer_range": 0.5}
    codec = {
        "model_type": "mimi", "sampling_rate": 24000, "frame_rate": 750.0, "audio_channels": 1, "hidden_size": 16, "num_filters": 4, "num_residual_layers": 1, "upsampling_ratios": [8, 2], "codebook_size": 128, "codebook_dim": 8,
        "vector_quantization_hidden_dimension": 8, "upsample_groups": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 24, "sliding_window": 8, "num_quantizers": 4,
        "num_semantic_quantizers": 1,
    }  # fmt: skip
    config = CsmConfig(
        **small, text_vocab_size=98, codebook_pad_token_id=66, codebook_eos_token_id=65, bos_token_id=1, eos_token_id=None, pad_token_id=2, audio_token_id=96, audio_eos_token_id=97,
        depth_decoder_config=small | {"backbone_hidden_size": 16, "max_position_embeddings": 5}, codec_config=codec,
    )  # fmt: skip
    model = CsmForConditionalGeneration(config).eval()
    for layer in model.codec_model.quantizer.modules():
        if hasattr(layer, "embed_sum"):
            layer.embed_sum.normal_()  # they begin as zeros: every code would sound alike
    model.generation_config.do_sample, model.generation_config.max_new_tokens, model.depth_decoder.generation_config.do_sample = True, 20, True
    model.save_pretrained(folder)
    plain_words().save_pretrained(folder)
    return folder


def seamless(folder: Path, *, second: bool = False) -> Path:
    """As it is published: the whole model, whose part for spoken input is not loaded. It knows English and German."""
    import torch
    import transformers

    codes = ["__eng__", "__deu__"]
    marks = ["<pad>", "<unk>", "<s>", "</s>"]
    vocabulary = {word: number for number, word in enumerate([*marks, "▁", *"abcdefghijklmnopqrstuvwxyz.,'"])}
    words = transformers.SeamlessM4TTokenizer(vocab=vocabulary, merges=[], additional_special_tokens=codes)
    torch.manual_seed(11)
    kind = "SeamlessM4Tv2" if second else "SeamlessM4T"
    more: dict[str, Any] = {"char_vocab_size": 40, "t2u_variance_predictor_embed_dim": 16, "t2u_variance_predictor_hidden_dim": 8} if second else {"t2u_max_new_tokens": 20, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(words), t2u_vocab_size=60, hidden_size=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=24, decoder_ffn_dim=24, encoder_attention_heads=2, decoder_attention_heads=2, speech_encoder_layers=1,
        speech_encoder_attention_heads=2, speech_encoder_intermediate_size=24, feature_projection_input_dim=8, conv_depthwise_kernel_size=3, adaptor_kernel_size=3, adaptor_stride=2, t2u_encoder_layers=1, t2u_decoder_layers=1,
        t2u_encoder_ffn_dim=24, t2u_decoder_ffn_dim=24, t2u_encoder_attention_heads=2, t2u_decoder_attention_heads=2, upsample_initial_channel=16, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]], unit_hifi_gan_vocab_size=60, unit_embed_dim=16, lang_embed_dim=8, spkr_embed_dim=8, vocoder_num_langs=2, vocoder_num_spkrs=2, vocoder_offset=0, max_new_tokens=12, **more,
    )  # fmt: skip - without an offset: chance draws units that a trained network leaves to its marks
    model = getattr(transformers, f"{kind}Model")(config).eval()
    told = model.generation_config
    told.text_decoder_lang_to_code_id = {code.strip("_"): int(words.convert_tokens_to_ids(code)) for code in codes}
    told.t2u_lang_code_to_id, told.vocoder_lang_code_to_id = {"eng": 58, "deu": 59}, {"eng": 0, "deu": 1}
    told.max_new_tokens, told._from_model_config = 12, False
    if second:
        told.id_to_text = {str(number): word for word, number in words.get_vocab().items()}
        told.char_to_id = {letter: number for number, letter in enumerate(["<pad>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz.,'"])}
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
