// All of the page's own script: it sends clicks on rendered HTML to the server as events. Gradio runs it once, when
// the hidden component of `bridge.py` loads, and passes in `element` and `trigger`. The HTML that the server
// renders (answers, sources, tables) has plain buttons:
//   <button data-action="open" data-turn="0" …>  triggers the server event "open" with the button's data;
//   <button data-copy="…">                       copies a text to the clipboard.
// No part of a document ever becomes script: documents fill attributes and text nodes only.

const ACTIONS = ["open", "read", "mark", "verdict", "unfilter", "only", "remove", "turnpage", "again", "forget"];
const SOURCES = "#epiqa-sources";
let opened = null; // the button that opened the source; "Back" returns to it

const act = (name, data) => { if (ACTIONS.includes(name)) trigger(name, data); };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action], [data-copy], [data-back]");
  if (!button || !element.isConnected) return;
  if (button.dataset.copy !== undefined) copy(button);
  else if (button.dataset.back !== undefined) back();
  else {
    if (button.dataset.action === "open" && !button.closest(SOURCES)) opened = button;
    act(button.dataset.action, { ...button.dataset });
  }
});

// The text that a reader selects in the source is proposed as the right answer. Its offsets count code points, as
// in Python. The source is editable so that the keyboard can select, too; every change to it is prevented.
const TEXT = `${SOURCES} .epiqa-body`;
const MARKABLE = `${TEXT}[contenteditable]`;
const asRendered = new WeakMap();
const markSoon = debounced(mark, 300);
document.addEventListener("selectionchange", markSoon);

function mark() {
  const selection = document.getSelection();
  const text = document.querySelector(TEXT);
  if (!text || selection.isCollapsed || !selection.rangeCount) return;
  const range = selection.getRangeAt(0);
  if (!text.contains(range.startContainer) || !text.contains(range.endContainer)) return;
  const before = document.createRange();
  before.selectNodeContents(text);
  before.setEnd(range.startContainer, range.startOffset);
  const start = Number(text.dataset.start) + [...before.toString()].length;
  act("mark", { document: text.dataset.document, start, end: start + [...range.toString()].length });
  const status = document.querySelector(`${SOURCES} .epiqa-marked`);
  if (status) status.textContent = status.dataset.said.replace("{quote}", () => range.toString().trim());
}

const isMarkable = (target) => target instanceof Element && target.matches(MARKABLE);
document.addEventListener("beforeinput", (event) => { if (isMarkable(event.target)) event.preventDefault(); });
// An input method cannot be prevented, so what it wrote is removed.
document.addEventListener("compositionend", (event) => {
  if (isMarkable(event.target)) event.target.replaceChildren(...asRendered.get(event.target).cloneNode(true).childNodes);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !isMarkable(event.target)) return;
  event.preventDefault();
  markSoon.now();
  document.querySelector("#epiqa-right-answer textarea").focus();
});
// Who comes by keyboard finds the caret at the quote.
document.addEventListener("keyup", (event) => {
  const quote = event.key === "Tab" && isMarkable(event.target) && event.target.querySelector("mark.epiqa-current");
  if (quote && document.getSelection().isCollapsed) document.getSelection().collapse(quote.firstChild, 0);
});

// Scrolls a new source to its quote, inside its own box. The page scrolls only if the reader opened the source.
new MutationObserver(() => {
  const panel = document.querySelector(`${SOURCES} .epiqa-source`);
  if (!panel || panel.dataset.seen) return;
  panel.dataset.seen = "yes";
  const text = panel.querySelector(".epiqa-body");
  if (text) asRendered.set(text, text.cloneNode(true));
  const box = panel.querySelector(".epiqa-document");
  const quote = box && box.querySelector("mark.epiqa-current");
  if (quote) box.scrollTop += quote.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
  if (panel.dataset.asked !== undefined) {
    panel.querySelector("h2").focus({ preventScroll: true });
    const { top, bottom } = panel.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) panel.scrollIntoView({ block: "start" });
  }
}).observe(document.body, { childList: true, subtree: true });

// Scrolls to the beginning of a new answer (Gradio scrolls to the end), and clicks a new link to an exported file.
new MutationObserver(() => {
  const link = document.querySelector("#epiqa-export a[download]");
  if (link) { link.click(); link.remove(); }
  const log = document.querySelector("#epiqa-chat [role=log]");
  const questions = log ? log.querySelectorAll("[data-testid=user]") : [];
  if (!log || log.dataset.questions === String(questions.length)) return;
  log.dataset.questions = String(questions.length);
  setTimeout(() => { // an empty question is hidden, its answer is shown
    const last = [...log.querySelectorAll("[data-testid=user], .epiqa-answer")].filter((shown) => shown.offsetParent);
    const question = last.at(-2)?.matches("[data-testid=user]") ? last.at(-2) : last.at(-1);
    if (question) log.scrollTop += question.getBoundingClientRect().top - log.getBoundingClientRect().top - 16;
  }, 50);
}).observe(document.body, { childList: true, subtree: true });

function back() {
  const target = opened && opened.isConnected ? opened : document.querySelector("#epiqa-question textarea");
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "center" });
}

function copy(button) {
  const done = () => {
    const status = button.closest(".epiqa-copy").querySelector("[role=status]");
    status.textContent = status.dataset.said;
    setTimeout(() => { status.textContent = ""; }, 2000);
  };
  const byHand = () => { // over plain HTTP from another machine, a page has no navigator.clipboard
    const field = document.createElement("textarea");
    field.value = button.dataset.copy;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
    done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(button.dataset.copy).then(done, byHand);
  else byHand();
}

function debounced(call, milliseconds) {
  let timer = 0;
  const ring = () => { timer = 0; call(); };
  const later = () => { clearTimeout(timer); timer = setTimeout(ring, milliseconds); };
  later.now = () => { if (timer) { clearTimeout(timer); ring(); } };
  return later;
}
