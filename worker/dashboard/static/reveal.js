// Shows the body of a job: a button with data-reveal (the address), data-id, and aria-controls (the list).
import { change, withErrorToast } from "./live.js";

/** A value as text. Characters that are invisible or change the writing direction are escaped. */
export function shown(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (hidden) => `\\u{${hidden.codePointAt(0).toString(16)}}`);
}

function fill(list, body, original) {
  for (const row of list.querySelectorAll("[data-field]")) {
    const name = row.dataset.field;
    const value = row.querySelector("[data-value]");
    const before = row.querySelector("[data-before]");
    if (name in body) value.textContent = shown(body[name]);
    if (before && original && name in original) before.textContent = shown(original[name]);
    row.querySelectorAll("i").forEach((kind) => kind.classList.add("lanes-open"));
  }
}

for (const button of document.querySelectorAll("button[data-reveal]")) {
  button.disabled = false;
  button.addEventListener("click", async () => {
    const list = document.getElementById(button.getAttribute("aria-controls"));
    button.disabled = true;
    const found = await withErrorToast(() => change(button.dataset.reveal, { id: button.dataset.id }));
    button.disabled = false;
    if (!found) return;
    fill(list, found.body, found.original);
    button.hidden = true;
    list.tabIndex = -1;
    list.focus({ preventScroll: true });
  });
}
