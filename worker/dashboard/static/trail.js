// The trail: filtered and paged on the server; the address of the page keeps both.

import { el, moment, poll } from "./live.js";

const page = document.getElementById("trail");
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
  rows.replaceChildren(...found.entries.map((entry) => el("tr", {},
    el("td", {}, el("time", { datetime: new Date(entry.at * 1000).toISOString() }, moment(entry.at))),
    el("td", {}, entry.who),
    el("td", {}, el("span", { class: "badge text-bg-secondary" }, entry.what)),
    el("td", { class: "lanes-breaks" }, entry.url ? el("a", { href: entry.url }, entry.on) : entry.on),
    el("td", { class: "lanes-breaks" }, entry.detail))));
  if (!found.entries.length) {
    const why = state.size ? "No entry fits." : "Nobody has changed anything by hand yet.";
    rows.append(el("tr", {}, el("td", { colspan: 5, class: "empty-table-message" }, why)));
  }
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
