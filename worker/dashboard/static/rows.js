// Rows of tables that refresh themselves.

import { el, number, write } from "./live.js";

/**
 * Make the rows of a table what the items say. A row that was there stays the node that it is, so focus, scroll and a
 * selection stay, too. `key` names an item; `make` builds its row, `fill` writes into it.
 */
export function syncRows(body, items, key, make, fill) {
  const focused = document.activeElement;
  const keys = new Set(items.map(key));
  const known = new Map();
  for (const row of [...body.children]) {
    if (keys.has(row.dataset.key)) known.set(row.dataset.key, row);
    else row.remove();
  }
  let place = body.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let row = known.get(name);
    if (!row) {
      row = make(item);
      row.dataset.key = name;
    }
    fill(row, item);
    if (row === place) place = place.nextElementSibling;
    else body.insertBefore(row, place);
  }
  // A row that moved has lost the focus on the way.
  if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
}

/** An address of a page of ours: `pattern` is one with the word NAME where the name belongs. */
export function address(pattern, name) {
  return pattern.replace("NAME", encodeURIComponent(name));
}

/** The address of a job; one whose name a browser would take for a way through folders goes by its query. */
export function jobAddress(pattern, id) {
  return /^\.{1,2}$/.test(id) ? pattern.replace("/NAME", `?id=${encodeURIComponent(id)}`) : address(pattern, id);
}

/** A bar of how much of a budget is used, with its numbers beside it; fill it with `fillBar`. */
export function bar(label) {
  const text = el("span", { class: "lanes-bar-text" });
  return el("div", { class: "lanes-bar" },
    el("div", { class: "lanes-bar-track", role: "meter", "aria-label": label, "aria-valuemin": 0 }, el("div", { class: "lanes-bar-fill" })), text);
}

export function fillBar(made, { used, of }) {
  const [track, text] = made.children;
  const share = of > 0 ? Math.min(1, used / of) : 0;
  track.setAttribute("aria-valuemax", of);
  track.setAttribute("aria-valuenow", Math.min(used, of));
  track.setAttribute("aria-valuetext", `${number(used)} of ${number(of)}`);
  const fill = track.firstElementChild;
  fill.style.width = `${(share * 100).toFixed(1)}%`;
  fill.classList.toggle("lanes-bar-full", share >= 0.9);
  write(text, `${short(used)} / ${short(of)}`);
}

function short(value) {
  return value < 10000 ? number(value) : Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

/** Show or hide an element. */
export function show(node, so) {
  if (node.hidden === so) node.hidden = !so;
}
