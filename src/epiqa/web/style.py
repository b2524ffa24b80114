"""How the page looks: Gradio's base theme with the system's fonts, and the little CSS it needs."""

from __future__ import annotations

import gradio as gr

CSS = """
footer, .message-buttons { display: none !important; }
.epiqa-header h1 { font-size: 1.6rem; font-weight: 700; margin: 0; }
.epiqa-header p { margin: .25rem 0 0; color: var(--body-text-color-subdued); }
.epiqa-header strong { font-weight: 600; color: var(--body-text-color); }
.epiqa-legend { margin: 0; font-size: .8rem; color: var(--body-text-color-subdued); }

#epiqa-chat .bot-row { max-width: none; padding-right: .5rem; }
#epiqa-chat .bot-row > *, #epiqa-chat .bot.message { width: 100%; max-width: 100%; }
#epiqa-chat .bot.message { background: none; border: 0; box-shadow: none; padding: 0; }
#epiqa-chat .user-row { margin-top: 1.25rem; }
#epiqa-chat .user-row:has(span:empty) { display: none; }
#epiqa-chat [data-testid=user] { font-size: 1rem; overflow-wrap: anywhere; }
#epiqa-chat .placeholder-content { justify-content: flex-start; height: auto; }
#epiqa-chat .placeholder { padding: 0 1rem; text-align: center; }
#epiqa-chat .example { padding: .5rem .9rem; min-height: 0; font-size: 1rem; }
#epiqa-question .submit-button {
  background: var(--button-primary-background-fill); color: var(--button-primary-text-color);
  padding: 0 1rem;
}

.epiqa-answer, .epiqa-passages { overflow-wrap: anywhere; font-size: 1rem; line-height: 1.5; }
.epiqa-answer p { margin: 0 0 .75rem; }
.epiqa-answer > :last-child { margin-bottom: 0; }
.epiqa-answer .epiqa-text { font-size: 1.4rem; font-weight: 600; line-height: 1.35; margin-bottom: .25rem; }
.epiqa-text, .epiqa-answer blockquote, .epiqa-passages blockquote { white-space: pre-wrap; }
.epiqa-answer .epiqa-confidence, .epiqa-answer .epiqa-places { color: var(--body-text-color-subdued); }
.epiqa-answer .epiqa-error { font-weight: 600; }
.epiqa-citation { margin: 0 0 1rem; padding-left: .85rem; }
.epiqa-citation { border-left: 3px solid var(--border-color-primary); }
.epiqa-citation blockquote { margin: 0; padding: 0; border: 0; }
.epiqa-citation figcaption { margin-top: .4rem; font-size: .875rem; color: var(--body-text-color-subdued); }
.epiqa-citation cite { display: block; font-style: normal; font-weight: 600; }
.epiqa-citation span + span::before { content: "·"; margin: 0 .4em; }
.epiqa-date, .epiqa-path, .epiqa-section { display: inline-block; max-width: 100%; unicode-bidi: isolate; }
.epiqa-path { font-family: var(--font-mono); font-size: .8rem; }
.epiqa-title { unicode-bidi: isolate; }
.epiqa-answer details { margin-top: .75rem; }
.epiqa-answer summary, .epiqa-passages summary { cursor: pointer; }
.epiqa-answer summary { margin-bottom: .5rem; color: var(--body-text-color-subdued); }
.epiqa-answer .epiqa-candidate { margin: .75rem 0 .25rem; font-weight: 600; }
.epiqa-candidate .epiqa-confidence { font-weight: 400; margin-left: .4em; }

.epiqa-passages h2 { font-size: 1.1rem; font-weight: 600; margin: 0; }
.epiqa-passages > p { margin: .25rem 0 .75rem; color: var(--body-text-color-subdued); }
.epiqa-passages ol { list-style: none; margin: 0; padding: 0; }
.epiqa-passages li { border-top: 1px solid var(--border-color-primary); padding: .6rem 0; margin: 0; }
.epiqa-passages summary { font-size: .925rem; font-weight: 600; line-height: 1.4; }
.epiqa-passages summary .epiqa-date { font-weight: 400; color: var(--body-text-color-subdued); }
.epiqa-passages blockquote { margin: .5rem 0 0; padding: 0; border: 0; font-size: .925rem; }
.epiqa-place { margin: .5rem 0 0; font-size: .8rem; color: var(--body-text-color-subdued); }
.epiqa-answer mark, .epiqa-passages mark {
  background: #fde68a; color: #1c1917; border-radius: .2em; box-shadow: 0 0 0 .1em #fde68a;
}

.dark #epiqa-passages { background: var(--background-fill-secondary); }
@media (min-width: 950px) {
  #epiqa-passages { height: calc(100dvh - 9rem); overflow-y: auto !important; }
}
"""


def theme() -> gr.themes.Base:
    """Returns the theme; it names only fonts that are on the reader's machine, so none is fetched."""
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
