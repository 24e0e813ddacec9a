// The audit log. The server filters and pages it; the address keeps the filter and the page.

import { el, formatTime, poll, redraw, updateAddress } from "./live.js";

const page = document.getElementById("audit-log");
const filters = document.getElementById("filters");
const rows = document.getElementById("entries");
const older = document.getElementById("older");
const newest = document.getElementById("newest");
const state = new URLSearchParams(window.location.search);
let next = null;

for (const name of ["who", "what"]) filters.elements[name].value = state.get(name) || "";

// The roles keep the table for screen readers: on a phone each row is laid out as a block.
function row({ at, who, what, on, url, detail }) {
  const cell = (label, content, kind = "") => el("td", { class: kind, role: "cell", "data-label": label }, content);
  return el("tr", { role: "row" },
    cell("When", formatTime(at), "lanes-time"),
    cell("Who", who),
    cell("What", el("span", { class: "badge text-bg-secondary" }, what)),
    cell("On", url ? el("a", { href: url }, on) : on, "lanes-breaks"),
    cell("Detail", detail, "lanes-breaks"));
}

function emptyRow() {
  const text = state.size ? "No entry matches." : "No changes by hand yet.";
  return el("tr", { role: "row" }, el("td", { colspan: 5, role: "cell", class: "empty-table-message" }, text));
}

const refresh = poll(() => `${page.dataset.source}?${state}`, (found) => {
  next = found.next;
  older.disabled = next === null;
  newest.disabled = !state.has("before");
  redraw(rows, [found.entries, state.size], () => (found.entries.length ? found.entries.map(row) : [emptyRow()]));
});

function go(changes) {
  updateAddress(state, changes);
  refresh();
}

filters.addEventListener("input", () => go({ ...Object.fromEntries(new FormData(filters)), before: "" }));
filters.addEventListener("submit", (event) => event.preventDefault());
older.addEventListener("click", () => go({ before: next }));
newest.addEventListener("click", () => go({ before: "" }));
