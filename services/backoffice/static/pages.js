// Keys, and the boxes of the list. Everything here has another way without it.
"use strict";

document.documentElement.classList.add("scripted");

const boxes = () => [...document.querySelectorAll("#several input[name=order]")];
const rows = () => [...document.querySelectorAll("table.orders tbody tr")];
const typing = (element) => element.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");

function count() {
  const form = document.getElementById("several");
  const all = document.getElementById("choose-all");
  if (!form || !all) return;
  const chosen = boxes().filter((box) => box.checked).length;
  document.getElementById("how-many").textContent = chosen ? form.dataset.chosen.replace("{count}", chosen) : "";
  for (const button of form.querySelectorAll(".bar button:not(.plain)")) button.disabled = !chosen;
  all.checked = chosen > 0 && chosen === boxes().length;
  all.indeterminate = chosen > 0 && chosen < boxes().length;
}

let last = null;
document.addEventListener("click", (event) => {
  const box = event.target.closest("#several input[name=order]");
  if (box) {
    if (event.shiftKey && last && last.isConnected) {
      const all = boxes();
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      all.slice(from, to + 1).forEach((each) => { each.checked = box.checked; });
    }
    last = box;
    count();
  } else if (event.target.id === "choose-all") {
    boxes().forEach((each) => { each.checked = event.target.checked; });
    count();
  }
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  const choice = event.target.closest("#move [data-action]");
  if (choice) move(choice.dataset.action);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

function move(action) {
  document.getElementById("move").close();
  document.getElementById("action").value = action;
  document.getElementById("do").click();
}

let dragged = null;
document.addEventListener("pointerover", (event) => {
  const cell = event.target.closest?.("#several td.choose");
  if (cell) Object.assign(cell, { draggable: true, title: cell.closest("form").dataset.drag });
});
document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("table.orders tbody tr")?.querySelector("input[name=order]") || null;
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.getAttribute("aria-label"));
  document.body.classList.add("dragging");
});
function dropped() {
  dragged = null;
  document.body.classList.remove("dragging");
}
document.addEventListener("dragend", dropped);
document.addEventListener("dragover", (event) => {
  if (dragged && event.target.closest?.("[data-folder]")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const folder = event.target.closest?.("[data-folder]");
  if (!dragged || !folder) return;
  event.preventDefault();
  if (!dragged.checked) boxes().forEach((box) => { box.checked = box === dragged; });
  count();
  move(`folder:${folder.dataset.folder}`);
  dropped();
});

function step(by) {
  const all = rows();
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  next?.querySelector("th.number a")?.focus();
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  "/": () => document.getElementById("q")?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
  x: () => {
    document.activeElement.closest("tr")?.querySelector("input[name=order]")?.click();
  },
  m: () => {
    const dialog = document.getElementById("move");
    const box = document.activeElement.closest("tr")?.querySelector("input[name=order]");
    if (!dialog || !(box || boxes().some((each) => each.checked))) return;
    if (box && !boxes().some((each) => each.checked)) box.click();
    dialog.showModal();
  },
};

document.addEventListener("keydown", (event) => {
  const open = document.querySelector("dialog[open]");
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; });
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (open) {
    if (open.id === "move" && /^[0-9]$/.test(event.key)) open.querySelectorAll("[data-action]")[Number(event.key)]?.click();
    return;
  }
  if (keys[event.key] && document.getElementById("list")) {
    event.preventDefault();
    keys[event.key]();
  }
});

document.addEventListener("htmx:afterSettle", count);
document.addEventListener("htmx:sendError", () => {
  document.getElementById("notices").textContent = document.body.dataset.away || "";
});
window.addEventListener("pageshow", count);
const narrow = window.matchMedia("(max-width: 60rem)");
const closeSide = () => {
  if (narrow.matches) document.querySelectorAll(".side-box").forEach((box) => { box.open = false; });
};
document.addEventListener("htmx:afterSwap", closeSide);
closeSide();
count();
