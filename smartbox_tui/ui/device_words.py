"""The settings of grabbers and of the box's own panel in words: parts of setting_words' tables."""

from __future__ import annotations

from typing import Final

from smartbox_tui.ui.i18n import N_

LABELS: Final = {
    "beep": N_("Sound with a picture"),
    "panel.settings": N_("All settings at the panel"),
    "blank_min": N_("Dark after minutes"),
    "brightness": N_("Brightness"),
    "calibration": N_("Calibration"),
    "controls": N_("Controls of the grabber"),
    "deinterlace": N_("Interlaced video"),
    "dpi": N_("Dots per inch"),
    "encoder": N_("Encoder of clips"),
    "flash": N_("Flash with a picture"),
    "font": N_("Size of the letters"),
    "format": N_("Format of the grabber"),
    "live": N_("Live picture"),
    "rotation": N_("Turned by degrees"),
    "panel.touch": N_("Touch panel"),
}
CHOICES: Final = {
    0: "0°",
    90: "90°",
    180: "180°",
    270: "270°",
    "12x24": N_("middle, 12x24"),
    "16x32": N_("large, 16x32"),
    "8x16": N_("small, 8x16"),
    "auto": N_("automatic"),
    "bgr24": "BGR 24",
    "blocks": N_("blocks"),
    "i420": "I420 (YU12)",
    "mjpeg": "Motion JPEG",
    "nv12": "NV12",
    "nvenc": "NVENC (NVIDIA)",
    "off": N_("as it comes"),
    "on": N_("always"),
    "pixels": N_("pixels"),
    "qsv": "Quick Sync (Intel)",
    "rgb24": "RGB 24",
    "software": N_("software (x264)"),
    "uyvy": "UYVY",
    "v4l2m2m": "V4L2 M2M",
    "yuyv": "YUYV",
}
REASONS: Final = {
    "must be names and numbers, as in brightness=128, gain=4": N_(
        "Names and numbers, as in brightness=128, gain=4."
    ),
    "must be six numbers of the four taps, separated by commas": N_("Six numbers: let the four taps be done."),
    "folds the panel into a line; let the four taps be done again": N_(
        "Impossible values: let the four taps be done again."
    ),
}
