// Rows of live tables.

import { el, number, write } from "./live.js";

/**
 * Show the items as the rows of a table. Rows that are already there keep their nodes, so focus, scroll and selection
 * stay. `key` identifies an item; `make` builds its row, `fill` writes into it.
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
  // A row that was moved has lost the focus.
  if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
}

/** The address of a page; `pattern` has the word NAME in place of the name. */
export function address(pattern, name) {
  return pattern.replace("NAME", encodeURIComponent(name));
}

/** The address of a job. An id of dots, which a browser would take for a folder, goes into the query. */
export function jobAddress(pattern, id) {
  return /^\.{1,2}$/.test(id) ? pattern.replace("/NAME", `?id=${encodeURIComponent(id)}`) : address(pattern, id);
}

/** A bar for how much of a limit is used, with its numbers; filled by `fillBar`. */
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
export function show(node, visible) {
  node.hidden = !visible;
}
