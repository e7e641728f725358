// The page that looks again by itself, commands that follow what is typed, and copying. All else works without it.
"use strict";

const looking = () => document.querySelector("[data-looks][hx-get]");

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-looks]")) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && looking()) htmx.trigger(looking(), "seen");
});
for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(failure, (event) => {
    if (event.detail.elt.matches("[data-looks]")) setTimeout(() => looking() && htmx.trigger(looking(), "seen"), 15_000);
  });
}

let opened = [];
document.addEventListener("htmx:beforeSwap", () => {
  opened = [...document.querySelectorAll("#standing details[open]")].map((each) => each.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
});

// As Python's shlex.quote writes it, so that a shell reads what was typed.
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

const REASON = / --reason (?:[^\s']+|'(?:[^']|'"'"')*')/;
document.addEventListener("input", (event) => {
  const line = document.getElementById(event.target.dataset?.writes);
  if (!line) return;
  const reason = event.target.value.trim() || line.dataset.reason || "";
  const without = line.textContent.replace(REASON, "");
  line.textContent = reason ? without.replace(/ --actor /, () => ` --reason ${quoted(reason)} --actor `) : without;
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const line = document.getElementById(button.dataset.copies);
  getSelection().selectAllChildren(line);
  try {
    await navigator.clipboard.writeText(line.textContent);
  } catch {
    if (!document.execCommand("copy")) return;
  }
  const before = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = before; }, 2_000);
});
