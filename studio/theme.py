"""The look: one calm theme, light and dark, local fonts only.

Classes for tabs: .studio-left (about 360 px), .studio-right, .primary-action, .stop-action, .search-action,
.studio-empty, .studio-card, .studio-meter, .studio-note, .studio-error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def css() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.css"), key=lambda path: (path.name != "page.css", path.name)))


def head() -> str:
    """The page's own script: status line, queue drawer, translation, shortcuts, dropped files, strips of results."""
    return f"<script>\n{(HERE / 'page.js').read_text(encoding='utf-8')}</script>"


def theme() -> Any:
    """Gradio's theme object with the studio's colours; fonts are the system's own."""
    import gradio as gr

    sans = ["system-ui", "-apple-system", "Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", "Segoe UI", "sans-serif"]
    base = gr.themes.Base(primary_hue="teal", neutral_hue="zinc", font=sans, font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"], radius_size="md")
    return base.set(
        body_background_fill="#f7f5f0", body_background_fill_dark="#17181b", block_background_fill="#fffefb", block_background_fill_dark="#202226",
        background_fill_primary="#fffefb", background_fill_primary_dark="#202226", border_color_primary="#dedbd2", border_color_primary_dark="#3a3d44",
        button_primary_background_fill="#23685a", button_primary_background_fill_dark="#2f7d6d", button_primary_background_fill_hover="#1b5347",
        button_primary_text_color="#ffffff", button_large_text_size="*text_md", button_large_text_weight="500", button_large_padding="8px 14px", button_small_text_size="*text_sm",
        button_secondary_background_fill="#ece9e1", button_secondary_background_fill_dark="#2c2f35", button_secondary_background_fill_hover="#e2ded3", button_secondary_background_fill_hover_dark="#363a41",
        button_secondary_text_color="#23262b", button_secondary_text_color_dark="#ecebe7", color_accent="#23685a", layout_gap="12px", input_background_fill="#f5f3ed", input_background_fill_dark="#17181b",
        block_label_text_color="#5b6169", block_label_text_color_dark="#a9aeb6", block_title_text_color="#4a4f56", block_title_text_color_dark="#b9bec5", block_title_text_size="*text_sm", input_placeholder_color="#6d7278", input_placeholder_color_dark="#8d939b", body_text_color="#23262b", body_text_color_dark="#ecebe7", body_text_color_subdued="#5b6169",
        body_text_color_subdued_dark="#a9aeb6", block_info_text_color="#5b6169", block_info_text_color_dark="#a9aeb6", block_shadow="none",
    )  # fmt: skip
