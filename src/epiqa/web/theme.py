"""The page's look: Gradio's default theme with the system's fonts, and our own styles (`page.css`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gradio as gr

CSS: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Returns the theme. It names only fonts of the reader's machine, so the browser fetches none."""
    return gr.themes.Default(
        primary_hue="teal",
        neutral_hue="stone",
        text_size="lg",
        font=("ui-sans-serif", "system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
    )
