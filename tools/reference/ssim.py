"""Writes testdata/reference/metrics.json: what scikit-image says about pairs of fixtures.

    python -m venv venv && venv/bin/pip install scikit-image==0.26.0 pillow==13.0.0
    venv/bin/python tools/reference/ssim.py testdata

Each pair is a picture and what JPEG or blurring made of it, both stored as PNG beside the values.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageFilter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def textured(width, height, seed):
    """Waves of several lengths, an edge and some noise: structure that SSIM can lose."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    channels = []
    for phase in (0.0, 1.1, 2.3):
        waves = 60 * np.sin(x / 3.1 + phase) * np.cos(y / 4.7) + 40 * np.sin((x + y) / 9.0 + phase)
        edge = 50 * (x > width / 2 + 3 * phase)
        channels.append(90 + waves + edge + random.normal(0, 4, (height, width)))
    return Image.fromarray(np.stack(channels, axis=2).clip(0, 255).astype(np.uint8))


def jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "jpeg", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def main(testdata):
    odd = textured(61, 37, seed=1)
    wide = textured(80, 24, seed=2)
    smallest = textured(11, 13, seed=3)
    pairs = {
        "odd": (odd, jpeg(odd, 40)),
        "wide": (wide, wide.filter(ImageFilter.GaussianBlur(1.0))),
        "smallest": (smallest, jpeg(smallest, 75)),
    }
    folder = testdata / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    reference = {"scikit_image": skimage.__version__, "pairs": []}
    for name, (a, b) in pairs.items():
        a.save(folder / f"metric_{name}_a.png", optimize=True)
        b.save(folder / f"metric_{name}_b.png", optimize=True)
        a, b = np.array(a), np.array(b)
        difference = a.astype(np.float64) - b
        ssim = structural_similarity(
            a,
            b,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
        # Unrounded samples: the second picture moved by a small pattern.
        moved = b + (np.indices(b.shape).sum(axis=0) % 5 - 2) * np.float32(0.2)
        reference["pairs"].append(
            {
                "name": name,
                "psnr_db": peak_signal_noise_ratio(a, b, data_range=255),
                "ssim": ssim,
                "apd": np.abs(difference).mean(),
                "rmse": np.sqrt((difference**2).mean()),
                "max_difference": int(np.abs(difference).max()),
                "float_psnr_db": peak_signal_noise_ratio(
                    a.astype(np.float64), moved, data_range=255
                ),
                "float_ssim": structural_similarity(
                    a.astype(np.float64),
                    moved,
                    channel_axis=2,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                    data_range=255,
                ),
                "float_apd": np.abs(a - moved).mean(),
            }
        )
    (folder / "metrics.json").write_text(json.dumps(reference, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
