// The popup of a line's status. Without it, the same choice opens at the top of the page.
"use strict";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("a.set[data-line]");
  const menu = document.getElementById("line-menu");
  if (opener && menu && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const row = opener.closest("tr");
    menu.querySelector("input[name=line]").value = opener.dataset.line;
    menu.querySelector(".line-name").textContent = row.querySelector("th").firstChild.textContent;
    menu.showModal();
  }
  const closer = event.target.closest("[data-closes]");
  if (closer) document.getElementById(closer.dataset.closes)?.close();
  if (event.target === menu) menu.close();
});
