// What others change is shown: it is read again, and what the person does is never moved or lost. Without it, reload.
"use strict";

(() => {
  const place = document.getElementById("live");
  if (!place || !window.EventSource) return;
  const MOST_ROWS = 12, SOON = 40, AT_MOST_EVERY = 500, LONGEST = 60_000;
  let source = null, wait = 1000, retry = 0;

  const tell = (state) => {
    place.dataset.state = state;
    place.textContent = place.dataset[state] || "";
  };
  const heard = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  function open() {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource(place.dataset.stream);
    source.addEventListener("again", () => { wait = 1000; tell("on"); heard("live:again"); });
    source.addEventListener("stale", () => tell("off"));
    source.addEventListener("order", (said) => heard("live:order", JSON.parse(said.data)));
    source.addEventListener("error", () => {
      tell("off");
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      retry = setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST);
    });
  }
  function close() {
    source?.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);

  // One reading at a time, soon after the first word and then at most twice a second.
  function readings(read) {
    let timer = 0, last = -Infinity, busy = false, more = false;
    const run = async () => {
      timer = 0;
      busy = true;
      more = false;
      last = performance.now();
      try {
        await read();
      } catch {
        tell("off");
      }
      busy = false;
      if (more) soon();
    };
    const soon = () => {
      if (busy) more = true;
      else timer ||= setTimeout(run, Math.max(SOON, last + AT_MOST_EVERY - performance.now()));
    };
    return soon;
  }

  async function part(address) {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    if (!answer.ok) throw new Error(String(answer.status));
    if (answer.status === 204) return null;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    return holder.content;
  }

  const list = () => document.getElementById("list");
  if (list()) followList();
  if (document.getElementById("order")) followOrder();

  function followList() {
    const changed = new Map(), unknown = new Set(), held = new Map();
    let whole = false, look = false, over = false;
    const links = (where) => [...where.querySelectorAll("th.number a")];
    const idOf = (row) => row.querySelector("th.number a").pathname.split("/").pop();
    const rowOf = (id) => links(document).find((link) => link.pathname.endsWith(id))?.closest("tr");

    function put(row, now) {
      const box = row.querySelector("input[name=order]");
      if (box?.checked) now.querySelector("td.choose").replaceWith(box.closest("td"));
      const at = [...row.querySelectorAll("a, input")].indexOf(document.activeElement);
      now.classList.add("fresh");
      row.replaceWith(now);
      if (at >= 0) now.querySelectorAll("a, input")[at]?.focus({ preventScroll: true });
    }
    function update(now) {
      const id = idOf(now), row = rowOf(id);
      held.delete(id);
      if (!row || same(row, now)) return;
      const before = row.offsetHeight;
      const copy = row.cloneNode(true);
      put(row, now);
      if (over && now.offsetHeight !== before && !now.contains(document.activeElement)) {
        held.set(id, now.cloneNode(true));
        now.replaceWith(copy);
      }
    }
    function same(row, now) {
      const text = (one) => one.className.replace("fresh", "").trim() + [...one.cells].filter((cell) => !cell.matches(".choose")).map((cell) => cell.innerHTML).join();
      const value = (one) => one.querySelector("input[name=order]")?.value;
      return text(row) === text(now) && value(row) === value(now);
    }

    async function read() {
      const here = list(), address = new URL(here.dataset.live, location);
      const rows = [...changed.values()];
      const all = whole || rows.length > MOST_ROWS;
      if (all) address.searchParams.set("known", here.dataset.tag || "");
      else rows.forEach((number) => address.searchParams.append("row", number));
      if (!all && look) address.searchParams.set("new", "1");
      changed.clear();
      whole = look = false;
      const found = await part(address);
      if (!found || here !== list()) return;
      const body = found.querySelector("tbody");
      if (body.dataset.tag) here.dataset.tag = body.dataset.tag;
      [...body.rows].forEach((row) => update(document.importNode(row, true)));
      if (body.dataset.ids !== undefined) announce(body.dataset.ids.split(" ").filter(Boolean));
    }
    function announce(ids) {
      const first = ids.findIndex((id) => rowOf(id));
      const news = ids.filter((id, n) => !rowOf(id) && (unknown.has(id) || first < 0 || n < first)).length;
      const bar = document.getElementById("new-orders");
      if (!bar || !news) return;
      bar.hidden = false;
      bar.querySelector("span").textContent = news === 1 ? bar.dataset.one : bar.dataset.many.replace("{count}", news);
    }
    const soon = readings(read);
    const counts = readings(async () => {
      const side = document.getElementById("side"), now = await part(side.getAttribute("hx-get"));
      const links = (where) => new Map([...where.querySelectorAll("a[href]")].map((link) => [link.getAttribute("href"), link.querySelector(".count")]));
      const shown = links(side);
      for (const [href, count] of links(now)) if (count && shown.get(href)) shown.get(href).textContent = count.textContent;
    });

    document.addEventListener("live:again", () => { whole = true; soon(); });
    document.addEventListener("live:order", ({ detail }) => {
      const row = rowOf(detail.id);
      if (row) changed.set(detail.id, row.querySelector("th.number a").textContent.trim());
      else { unknown.add(detail.id); look = true; }
      soon();
      counts();
    });
    document.addEventListener("pointerover", (event) => {
      over = Boolean(event.target.closest?.("table.orders tbody"));
      if (!over) { [...held.values()].forEach(update); }
    });
    document.addEventListener("htmx:afterSwap", (event) => { if (event.target.id === "list") unknown.clear(); });
  }

  // What services do by themselves is shown in place, and forms go on from there; what a person did is only told.
  function followOrder() {
    let grew = false;
    const soon = readings(async () => {
      const news = document.getElementById("news");
      const found = await part(news.dataset.ask);
      if (news !== document.getElementById("news") || !found) return;
      const said = found.firstElementChild;
      if (said.matches(".changed")) news.replaceChildren(said);
      else {
        grew = true;
        document.body.dispatchEvent(new CustomEvent("order-grew"));
      }
    });
    document.addEventListener("htmx:afterSettle", () => {
      const version = document.getElementById("attention")?.dataset.version;
      if (!grew || !version) return;
      grew = false;
      for (const field of document.querySelectorAll("#order input[name=version]")) {
        if (!field.closest("#doing")) field.value = version;
      }
    });
    document.addEventListener("live:again", soon);
    document.addEventListener("live:order", soon);
  }
})();
