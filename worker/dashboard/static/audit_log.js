// The trail: filtered and paged on the server; the address of the page keeps both.

import { el, formatTime, poll } from "./live.js";

const page = document.getElementById("audit-log");
const filters = document.getElementById("filters");
const rows = document.getElementById("entries");
const older = document.getElementById("older");
const newest = document.getElementById("newest");
const state = new URLSearchParams(window.location.search);
let shown = null;
let next = null;

for (const name of ["who", "what"]) filters.elements[name].value = state.get(name) || "";

function draw(found) {
  const text = JSON.stringify(found);
  if (text === shown) return; // What somebody is reading or has the focus in stays.
  shown = text;
  next = found.next;
  older.disabled = next === null;
  newest.disabled = !state.has("before");
  rows.replaceChildren(...found.entries.map((entry) => row(
    cell("", el("time", { datetime: new Date(entry.at * 1000).toISOString() }, formatTime(entry.at))),
    cell("", entry.who),
    cell("", el("span", { class: "badge text-bg-secondary" }, entry.what)),
    cell("lanes-breaks", entry.url ? el("a", { href: entry.url }, entry.on) : entry.on),
    cell("lanes-breaks", entry.detail))));
  if (!found.entries.length) {
    const why = state.size ? "No entry fits." : "Nobody has changed anything by hand yet.";
    rows.append(row(el("td", { colspan: 5, role: "cell", class: "empty-table-message" }, why)));
  }
}

// On a phone a row is laid out as a block, which would make it none for a screen reader: hence the roles.
function row(...cells) {
  return el("tr", { role: "row" }, ...cells);
}

function cell(kind, content) {
  return el("td", { class: kind, role: "cell" }, content);
}

const refresh = poll(() => `${page.dataset.source}?${state}`, draw);

function go(changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value) state.set(name, value);
    else state.delete(name);
  }
  window.history.replaceState(null, "", state.size ? `?${state}` : window.location.pathname);
  refresh();
}

filters.addEventListener("input", () => go({ ...Object.fromEntries(new FormData(filters)), before: "" }));
filters.addEventListener("submit", (event) => event.preventDefault());
older.addEventListener("click", () => go({ before: next }));
newest.addEventListener("click", () => go({ before: "" }));
