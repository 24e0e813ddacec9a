// Replay, purge and export of dead letters, on the list and on the page of one: rehearsed first, then asked, then done.
import { ask, change, el, number, toast } from "./live.js";

const LOOK_MS = 300;
const WORDS = { overtaken: "overtaken by something newer", unknown: "not known any more", changed: "changed in that moment" };

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const letters = (count) => `${number(count)} dead ${count === 1 ? "letter" : "letters"}`;

async function look(url) {
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
  return el("details", run.rehearsal && total <= 5 ? { open: true } : {},
    el("summary", {}, `${number(total)} ${run.rehearsal ? "would be refused" : "refused"}: ${kinds.join(", ")}`),
    el("ul", { class: "letters-refused", tabindex: "0" },
      ...run.told.map((each) => el("li", {}, `${each.shown}: ${each.why}`)),
      run.told.length < total ? el("li", {}, `and ${number(total - run.told.length)} more`) : null));
}

/** A warning that the API may already have this many of the dead letters; null for none. */
export function unconfirmedWarning(count) {
  if (!count) return null;
  const [are, them] = count === 1 ? ["is", "it"] : ["are", "them"];
  return el("p", { class: "letters-problem" },
    `${number(count)} of them ${are} unconfirmed: the API may have ${them} already, and a replay sends ${them} once more.`);
}

/** A box to tick in a question: `even` is then among its values. */
export function lastWord(label) {
  return el("div", { class: "form-check lanes-field" },
    el("input", { type: "checkbox", class: "form-check-input", name: "even", value: "yes", id: "ask-even" }),
    el("label", { class: "form-check-label", for: "ask-even" }, label));
}

/** Rehearse, with progress in a dialog that can be closed to stop it. Resolves to the run, or null when it was stopped. */
async function rehearse(runs, verb, selection) {
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
      const run = await look(`${url}/data`);
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
export async function move(runs, verb, selection) {
  const rehearsed = await rehearse(runs, verb, selection);
  if (rehearsed === null) return null;
  const overtaken = rehearsed.refused.overtaken || 0;
  if (!rehearsed.done && !(verb === "replay" && overtaken)) {
    await ask({ title: `Nothing to ${verb}`, text: "None of them would be moved.", more: refusals(rehearsed), confirm: "Close" });
    return null;
  }
  const purge = verb === "purge";
  const given = await ask({
    title: `${purge ? "Purge" : "Replay"} ${letters(rehearsed.done)}?`,
    text: purge
      ? "They are given up: they count as cancelled, and their bodies are gone at once. An export keeps them."
      : "Each joins its lane and is sent at the lane's pace; attempts are kept, and none is counted.",
    confirm: purge ? "Purge" : "Replay",
    danger: purge,
    more: el("div", {}, unconfirmedWarning(rehearsed.unconfirmed), refusals(rehearsed), !purge && overtaken
      ? lastWord(`Send the ${number(overtaken)} overtaken, too: over what is newer, as the last word`) : null),
  });
  if (given === null) return null;
  const { id } = await change(runs, { of: rehearsed.id, even_if_newer: given.even === "yes" });
  return id;
}

/** Wait for a run that was begun. */
export async function ended(runs, id) {
  for (;;) {
    const run = await look(`${runs}/${id}/data`);
    if (run.state !== "running") return run;
    await pause(LOOK_MS);
  }
}

/** Ask for the form of the file, and let the browser save it. */
export async function save(selection, count) {
  const more = el("fieldset", {}, el("legend", { class: "fs-6 fw-semibold" }, "As"),
    ...[["jsonl", "JSON Lines"], ["csv", "CSV"]].map(([value, label], at) => el("div", { class: "form-check" },
      el("input", { type: "radio", class: "form-check-input", name: "format", id: `as-${value}`, value, checked: at === 0 }),
      el("label", { class: "form-check-label", for: `as-${value}` }, label))));
  const given = await ask({
    title: `Export ${letters(count)}?`,
    text: "The file holds what is in them. It is noted in the trail, under your name. They stay dead letters.",
    confirm: "Export",
    more,
  });
  if (given === null) return;
  const form = document.getElementById("export");
  form.elements.given.value = JSON.stringify({ ...selection, format: given.format });
  form.submit();
}

/** Do it, and tell of an error. */
export async function attempt(what) {
  try {
    return await what();
  } catch (error) {
    toast(error.message, "danger");
    return null;
  }
}
