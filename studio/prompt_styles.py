"""Joining a prompt with a saved style.

Source: the convention of styles.csv as the ecosystem's users know it: {prompt} stands for one's own words; without it the style follows after a comma.
"""

from __future__ import annotations


def joined(text: str, style: str) -> str:
    """The style with the text in the place of {prompt}, else after it."""
    if "{prompt}" in style:
        return style.replace("{prompt}", text)
    return ", ".join(part for part in (text, style) if part.strip())
