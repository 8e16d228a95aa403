"""A first estimate of the working memory and the seconds of a picture, behind one function each. Weights are counted exactly from headers elsewhere."""

from __future__ import annotations

from pipelines.image.families import Family

UNET_BYTES_PER_PIXEL = 2_000  # Stable Diffusion 1.5, fp32, guidance pair, measured at 512² on the CPU: 506 MB
DECODE_BYTES_PER_PIXEL = 64 * 4 * 9  # the decoder's last stage: 128 channels and their copies, fp32; the tiny decoder takes a fifth
SMALL_SHARE = 0.2


def picture_bytes(family: Family, width: int, height: int, hires: float, batch: int) -> int:
    """The larger of denoising and decoding at the largest size of the job."""
    pixels = width * height * hires * hires * batch
    share = SMALL_SHARE if family.key == "tiny" else 1.0
    return int(max(pixels * UNET_BYTES_PER_PIXEL * family.activation, pixels * DECODE_BYTES_PER_PIXEL) * share)
