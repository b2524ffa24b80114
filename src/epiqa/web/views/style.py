"""How the page looks: Gradio's base theme with the system's fonts, and the CSS that its components don't bring."""

from __future__ import annotations

import gradio as gr

# Gradio lets rules inside of @media reach only what is below the page's head: of the frame around it, none. And it
# cuts their selectors at every comma: with :is(a, b) there, a rule outweighs those after it.
CSS = """
footer, .message-buttons { display: none !important; }
.main.fillable {
  max-width: 100rem !important; margin: 0 auto !important; padding: 1rem clamp(.75rem, 3vw, 2rem) !important;
}
.epiqa-header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .9rem; }
.epiqa-header h1 { font-size: 1.5rem; font-weight: 700; margin: 0; }
.epiqa-header p { margin: 0; color: var(--body-text-color-subdued); }
.epiqa-header strong { font-weight: 600; color: var(--body-text-color); white-space: nowrap; }
.epiqa-note { margin: 0; font-size: .9rem; max-width: 60rem; color: var(--body-text-color-subdued); }
.epiqa-empty { margin: 1rem 0; color: var(--body-text-color-subdued); }
.epiqa-error { margin: 0; padding-left: .75rem; border-left: 3px solid var(--error-icon-color); font-weight: 600; }
.epiqa-unseen { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
:is(.epiqa-button, .epiqa-link, .epiqa-chip, .epiqa-open, summary, .epiqa-document, h2[tabindex]):focus-visible,
.epiqa-body:focus-visible {
  outline: 2px solid var(--color-accent); outline-offset: 2px; border-radius: .3rem;
}

/* Buttons in rendered HTML look like Gradio's small secondary ones. */
.epiqa-button, a.epiqa-link {
  display: inline-block; font-size: .875rem; line-height: 1.4; padding: .2rem .65rem; cursor: pointer;
  border: 1px solid var(--border-color-primary); border-radius: .4rem; text-decoration: none;
  background: var(--button-secondary-background-fill); color: var(--button-secondary-text-color);
}
:is(.epiqa-button:not(:disabled), .epiqa-link):hover {
  background: var(--button-secondary-background-fill-hover);
}
.epiqa-button:disabled { opacity: .4; cursor: default; }

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
  background: var(--button-primary-background-fill); color: var(--button-primary-text-color); padding: 0 1rem;
}
#epiqa-chat .icon-button-wrapper, #epiqa-export { display: none; }
:is(#epiqa-chips, #epiqa-uploads, #epiqa-evaluation):not(:has(p)) { display: none; }
.epiqa-tools { flex-wrap: wrap; }
.epiqa-tools button { flex: 0 1 auto !important; min-width: 0 !important; }
#epiqa-report, #epiqa-squad { align-self: flex-start; width: auto; }
#epiqa-chat .scroll-down-button-container button {
  background: var(--background-fill-primary); border: 1px solid var(--border-color-primary);
}

.epiqa-answer, .epiqa-source { overflow-wrap: anywhere; font-size: 1rem; line-height: 1.5; }
.epiqa-answer p { margin: 0 0 .75rem; }
.epiqa-answer > :last-child { margin-bottom: 0; }
.epiqa-answer .epiqa-text { font-size: 1.5rem; font-weight: 600; line-height: 1.35; margin-bottom: .25rem; }
.epiqa-text, .epiqa-answer blockquote, .epiqa-body { white-space: pre-wrap; }
.epiqa-confidence { font-size: .9rem; }
.epiqa-confidence span, .epiqa-places, .epiqa-figure { color: var(--body-text-color-subdued); }
.epiqa-confidence strong { font-weight: 600; }
.epiqa-citation { margin: 0 0 1rem; padding-left: .85rem; border-left: 3px solid var(--border-color-primary); }
.epiqa-citation blockquote { margin: 0; padding: 0; border: 0; }
.epiqa-citation figcaption { margin-top: .4rem; font-size: .875rem; color: var(--body-text-color-subdued); }
.epiqa-open {
  display: block; padding: 0; border: 0; background: none; font: inherit; text-align: start; cursor: pointer;
  color: var(--epiqa-link);
}
.epiqa-open cite { font-style: normal; font-weight: 600; text-decoration: underline; text-underline-offset: .15em; }
:is(.epiqa-open cite, .epiqa-head .epiqa-title, .epiqa-table th > span[dir]) {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 5; overflow: hidden;
}
.epiqa-place > span + span::before { content: "·"; margin: 0 .4em; }
.epiqa-date, .epiqa-path, .epiqa-section { unicode-bidi: isolate; }
.epiqa-path { font-family: var(--font-mono); font-size: .8rem; overflow-wrap: anywhere; }
.epiqa-answer details { margin: 0 0 .75rem; }
.epiqa-answer summary, .epiqa-table summary { cursor: pointer; color: var(--body-text-color-subdued); }
.epiqa-answer summary { margin-bottom: .5rem; }
.epiqa-answer .epiqa-candidate { margin: .75rem 0 .25rem; font-weight: 600; }
.epiqa-candidate .epiqa-figure { font-weight: 400; margin-left: .4em; font-size: .9rem; }
.epiqa-answer :is(.epiqa-copy, .epiqa-verdict) { font-size: .875rem; color: var(--body-text-color-subdued); }
.epiqa-answer .epiqa-copy { margin-bottom: .4rem; }
.epiqa-copy > span:first-child, .epiqa-verdict > span:first-child { margin-right: .25rem; }
.epiqa-answer mark, .epiqa-source mark, .epiqa-questions mark {
  background: var(--epiqa-mark); color: inherit; border-radius: .2em; padding: 0 .1em; margin: 0 -.1em;
}
.epiqa-source mark:not(.epiqa-current) { background: none; box-shadow: inset 0 -.15em var(--epiqa-mark); }
:root { --epiqa-mark: #fde68a; --epiqa-link: #0f766e; }
.dark { --epiqa-mark: #854d0e; --epiqa-link: #5eead4; }

.epiqa-bar { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; }
.epiqa-bar h2 { font-size: 1.1rem; font-weight: 600; margin: 0; }
.epiqa-steps { display: inline-flex; align-items: center; gap: .4rem; font-size: .875rem; }
.epiqa-head { margin: .5rem 0; }
.epiqa-head .epiqa-title { margin: 0; font-weight: 600; }
.epiqa-head p + p {
  display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .75rem; margin: .25rem 0 0;
  font-size: .875rem; color: var(--body-text-color-subdued);
}
.epiqa-document {
  overflow-y: auto; max-height: max(16rem, calc(100dvh - 36rem)); border-top: 1px solid var(--border-color-primary);
}
.epiqa-document > .epiqa-button { margin: .5rem 0; }
.epiqa-body { padding: .5rem .25rem; font-size: .95rem; line-height: 1.6; }
.epiqa-body:focus-visible { outline-offset: -2px; }

.epiqa-chips { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem; margin: 0; font-size: .9rem; }
.epiqa-chip {
  display: inline-flex; gap: .4rem; max-width: 100%; padding: .15rem .7rem; border-radius: 1rem; cursor: pointer;
  border: 1px solid var(--epiqa-link); color: var(--epiqa-link); background: none; font: inherit; text-align: start;
}
.epiqa-chip [dir] { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 24rem; }
.epiqa-fits { color: var(--body-text-color-subdued); }

.epiqa-table { width: 100%; border-collapse: collapse; font-size: .925rem; line-height: 1.45; }
.epiqa-table caption { text-align: start; padding-bottom: .4rem; color: var(--body-text-color-subdued); }
.epiqa-table :is(th, td) {
  text-align: start; vertical-align: top; padding: .55rem .9rem .55rem 0; overflow-wrap: anywhere;
  border-bottom: 1px solid var(--border-color-primary);
}
.epiqa-table th { font-weight: 600; }
.epiqa-table th .epiqa-path { display: block; font-weight: 400; color: var(--body-text-color-subdued); }
.epiqa-table td { font-variant-numeric: tabular-nums; }
.epiqa-table thead th, .epiqa-date { white-space: nowrap; }
.epiqa-actions { display: flex; flex-wrap: wrap; gap: .35rem; align-items: center; min-width: min(26rem, 32vw); }
.epiqa-actions details[open] { flex-basis: 100%; }
.epiqa-unread { color: var(--body-text-color-subdued); }
.epiqa-uploads { list-style: none; margin: .5rem 0 0; padding: 0; }
.epiqa-uploads li {
  display: grid; grid-template-columns: minmax(8rem, 2fr) 8rem 3fr; gap: .75rem; align-items: center;
  padding: .25rem 0; font-size: .9rem;
}
progress {
  width: 100%; height: .5rem; appearance: none; border: 0; border-radius: .25rem; overflow: hidden;
  background: var(--border-color-primary); color: var(--color-accent);
}
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--color-accent); }
progress::-moz-progress-bar { background: var(--color-accent); }
progress:indeterminate {
  background: repeating-linear-gradient(90deg, var(--color-accent) 0 1rem, transparent 1rem 2rem);
}
[data-state=skipped] progress { visibility: hidden; }
.epiqa-lists h2 { font-size: 1.1rem; font-weight: 600; margin: 0 0 .5rem; }
.epiqa-questions { list-style: none; margin: 0; padding: 0; }
.epiqa-questions li { border-top: 1px solid var(--border-color-primary); padding: .6rem 0; margin: 0; }
.epiqa-questions p { margin: 0 0 .35rem; overflow-wrap: anywhere; }
.epiqa-asked { font-weight: 600; }

.epiqa-measures { width: auto; margin: .75rem 0 1.5rem; }
.epiqa-measures :is(td, thead th + th) { text-align: end; padding-left: 1rem; }
.epiqa-measures th[scope=row] { font-weight: 400; }
.epiqa-curves > .curves {
  display: grid; gap: 1.5rem 3rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
}
.epiqa-curves figure { margin: 0; max-width: 27rem; }
.epiqa-curves figcaption { margin-top: .5rem; font-size: .875rem; color: var(--body-text-color-subdued); }
.epiqa-curves svg { display: block; width: 100%; height: auto; overflow: visible; }
.epiqa-curves text { font-size: 12px; fill: currentColor; }
.epiqa-curves :is(path, line) { fill: none; stroke: currentColor; }
.epiqa-curves .grid { stroke: currentColor; opacity: .25; }
.epiqa-curves .bin { fill: var(--color-accent); }
.epiqa-curves .dashed { stroke-dasharray: 5 4; }
.epiqa-curves .dotted { stroke-dasharray: 1 3; }
.epiqa-curves .curve { stroke-width: 2px; stroke-linejoin: round; }
.epiqa-curves circle { fill: currentColor; stroke: var(--body-background-fill); }

.dark #epiqa-sources { background: var(--background-fill-secondary); }
@media (min-width: 720px) {
  #epiqa-sources .epiqa-back { display: none; }
  .epiqa-columns > :last-child { position: sticky; top: 0; align-self: flex-start; }
}
@media (max-width: 719px) {
  .epiqa-columns, .epiqa-find, .epiqa-lists, .epiqa-set { flex-direction: column; align-items: stretch; }
  .epiqa-find > * { width: 100%; }
  .column { min-width: 0 !important; }
  #epiqa-tabs .tab-container button { padding-inline: .5rem; }
}
@media (max-width: 999px) {
  .epiqa-table:not(.epiqa-measures) thead, .epiqa-table:not(.epiqa-measures) caption {
    position: absolute; clip-path: inset(50%); width: 1px;
  }
  .epiqa-table:not(.epiqa-measures) tbody, .epiqa-table:not(.epiqa-measures) tr,
  .epiqa-table:not(.epiqa-measures) th, .epiqa-table:not(.epiqa-measures) td {
    display: block; border: 0; padding: .15rem 0;
  }
  .epiqa-table:not(.epiqa-measures) tr { border-bottom: 1px solid var(--border-color-primary); padding: .6rem 0; }
  .epiqa-table td[data-column]::before {
    content: attr(data-column) ": "; color: var(--body-text-color-subdued);
  }
  .epiqa-table:not(.epiqa-measures) td[data-column] { display: inline-block; margin-right: 1.25rem; }
  .epiqa-table:not(.epiqa-measures) td:last-child { display: block; margin: 0; }
  .epiqa-table:not(.epiqa-measures) td:last-child::before { content: none; }
  .epiqa-table:not(.epiqa-measures) td:not([data-column]) { display: none; }
  .epiqa-uploads li { grid-template-columns: 1fr 6rem; border-top: 1px solid var(--border-color-primary); }
  .epiqa-uploads li > :last-child { grid-column: 1 / 3; }
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
