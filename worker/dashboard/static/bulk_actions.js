// Replay, purge and export of dead letters, on the list and on the page of one: rehearsed first, then asked, then done.
import { ask, change, el, number, toast } from "./live.js";

const LOOK_MS = 300;
const WORDS = { superseded: "superseded by something newer", unknown: "not known any more", changed: "changed in that moment" };

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const letters = (count) => `${number(count)} dead ${count === 1 ? "letter" : "letters"}`;

async function fetchJson(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error || `The dashboard answered ${answer.status}`);
  return found;
}

/** What was refused, in words: by reason, and letter by letter as far as it is told. */
export function refusals(run) {
  const total = Object.values(run.refused).reduce((sum, count) => sum + count, 0);
  if (!total) return null;
  const kinds = Object.entries(run.refused).map(([answer, count]) => `${number(count)} ${WORDS[answer] || `no letter any more: ${answer.replace("_", " ")}`}`);
  return el("details", run.dry_run && total <= 5 ? { open: true } : {},
    el("summary", {}, `${number(total)} ${run.dry_run ? "would be refused" : "refused"}: ${kinds.join(", ")}`),
    el("ul", { class: "dead-letters-refused", tabindex: "0" },
      ...run.refused_letters.map((each) => el("li", {}, `${each.shown}: ${each.why}`)),
      run.refused_letters.length < total ? el("li", {}, `and ${number(total - run.refused_letters.length)} more`) : null));
}

/** A warning that the API may already have this many of the dead letters; null for none. */
export function unconfirmedWarning(count) {
  if (!count) return null;
  const [are, them] = count === 1 ? ["is", "it"] : ["are", "them"];
  return el("p", { class: "dead-letters-problem" },
    `${number(count)} of them ${are} unconfirmed: the API may have ${them} already, and a replay sends ${them} once more.`);
}

/** A box to tick in a question: `force` is then among its values. */
export function forceBox(label) {
  return el("div", { class: "form-check lanes-field" },
    el("input", { type: "checkbox", class: "form-check-input", name: "force", value: "yes", id: "ask-force" }),
    el("label", { class: "form-check-label", for: "ask-force" }, label));
}

/** Rehearse, with progress in a dialog that can be closed to stop it. Resolves to the run, or null when it was stopped. */
async function dryRun(runs, verb, selection) {
  const { id } = await change(runs, { verb, ...selection });
  const bar = el("progress", { "aria-label": "Looked at" });
  const text = el("p", { role: "status" }, "Looking at what would happen…");
  const cancel = el("button", { type: "button", class: "btn btn-outline-secondary" }, "Cancel");
  const dialog = el("dialog", { class: "lanes-ask", "aria-label": "Dry run" }, text, bar, el("div", { class: "lanes-ask-buttons" }, cancel));
  cancel.addEventListener("click", () => dialog.close());
  let stopped = false;
  dialog.addEventListener("close", () => { stopped = true; });
  document.body.append(dialog);
  const url = `${runs}/${id}`;
  try {
    for (let turn = 0; ; turn += 1) {
      const run = await fetchJson(`${url}/data`);
      if (run.state !== "running") {
        if (run.state === "done") return run;
        throw new Error(run.waiting || "the dry run was stopped");
      }
      if (stopped) {
        await change(`${url}/stop`);
        return null;
      }
      if (turn && !dialog.open) dialog.showModal();
      const seen = run.done + Object.values(run.refused).reduce((sum, count) => sum + count, 0);
      bar.max = Math.max(run.total, seen, 1);
      bar.value = seen;
      text.textContent = run.waiting ? `Waiting: ${run.waiting}` : `Looked at ${number(seen)} of ${number(run.total)}; nothing is changed.`;
      await pause(turn ? LOOK_MS : 60);
    }
  } finally {
    dialog.remove();
  }
}

/** Replay or purge after a dry run and a question. Resolves to the id of the run, or null when nothing was begun. */
export async function startBulkRun(runs, verb, selection) {
  const preview = await dryRun(runs, verb, selection);
  if (preview === null) return null;
  const superseded = preview.refused.superseded || 0;
  if (!preview.done && !(verb === "replay" && superseded)) {
    await ask({ title: `Nothing to ${verb}`, text: "None of them would be moved.", more: refusals(preview), confirm: "Close" });
    return null;
  }
  const purge = verb === "purge";
  const given = await ask({
    title: `${purge ? "Purge" : "Replay"} ${letters(preview.done)}?`,
    text: purge
      ? "They are given up: they count as cancelled, and their bodies are gone at once. An export keeps them."
      : "Each joins its lane and is sent at the lane's pace; attempts are kept, and none is counted.",
    confirm: purge ? "Purge" : "Replay",
    danger: purge,
    more: el("div", {}, unconfirmedWarning(preview.unconfirmed), refusals(preview), !purge && superseded
      ? forceBox(`Send the ${number(superseded)} superseded, too: over what is newer, as the last word`) : null),
  });
  if (given === null) return null;
  const { id } = await change(runs, { of: preview.id, force: given.force === "yes" });
  return id;
}

/** Wait for a run that was begun. */
export async function waitForRun(runs, id) {
  for (;;) {
    const run = await fetchJson(`${runs}/${id}/data`);
    if (run.state !== "running") return run;
    await pause(LOOK_MS);
  }
}

/** Ask for the form of the file, and let the browser save it. */
export async function exportFile(selection, count) {
  const more = el("fieldset", {}, el("legend", { class: "fs-6 fw-semibold" }, "As"),
    ...[["jsonl", "JSON Lines"], ["csv", "CSV"]].map(([value, label], at) => el("div", { class: "form-check" },
      el("input", { type: "radio", class: "form-check-input", name: "format", id: `as-${value}`, value, checked: at === 0 }),
      el("label", { class: "form-check-label", for: `as-${value}` }, label))));
  const given = await ask({
    title: `Export ${letters(count)}?`,
    text: "The file holds what is in them. It is noted in the audit log, under your name. They stay dead letters.",
    confirm: "Export",
    more,
  });
  if (given === null) return;
  const form = document.getElementById("export");
  form.elements.given.value = JSON.stringify({ ...selection, format: given.format });
  form.submit();
}

/** Do it, and tell of an error. */
export async function withErrorToast(what) {
  try {
    return await what();
  } catch (error) {
    toast(error.message, "danger");
    return null;
  }
}
