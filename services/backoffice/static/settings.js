// What is copied with one press, and rows that are moved by keys. Everything here has another way without it.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copies);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy");
  }
  button.textContent = button.dataset.copied;
});

const waiting = [];

function press(id) {
  const step = document.getElementById(id);
  step?.focus();
  step?.click();
}

document.addEventListener("keydown", (event) => {
  if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  const step = event.target.closest("[data-row]")?.querySelector(`[data-step=${event.key === "ArrowUp" ? "up" : "down"}]`);
  if (!step) return;
  event.preventDefault();
  if (document.querySelector(".htmx-request")) waiting.push(step.id);
  else press(step.id);
});

// A key that comes while a row is on its way is heeded when it has arrived.
document.addEventListener("htmx:afterSettle", () => {
  if (waiting.length) press(waiting.shift());
});
