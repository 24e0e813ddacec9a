// Replay, purge and export of dead letters, for the list and the page of one: a dry run, a question, then the action.
import { ask, change, el, number, pluralize, request } from "./live.js";

const POLL_MS = 300;
const WORDS = { superseded: "superseded by something newer", unknown: "no longer known", changed: "changed at that moment" };

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const deadLetters = (count) => pluralize(count, "dead letter");
export const refusedCount = (run) => Object.values(run.refused).reduce((sum, count) => sum + count, 0);

/** What was refused: counts by reason, then dead letter by dead letter, up to the server's limit. */
export function refusals(run) {
  const total = refusedCount(run);
  if (!total) return null;
  const kinds = Object.entries(run.refused).map(([answer, count]) => `${number(count)} ${WORDS[answer] || `no longer dead letters: ${answer.replace("_", " ")}`}`);
  return el("details", run.dry_run && total <= 5 ? { open: true } : {},
    el("summary", {}, `${number(total)} ${run.dry_run ? "would be refused" : "refused"}: ${kinds.join(", ")}`),
    el("ul", { class: "lanes-scroll-list", tabindex: "0" },
      ...run.refused_letters.map((each) => el("li", {}, `${each.shown}: ${each.why}`)),
      run.refused_letters.length < total ? el("li", {}, `and ${number(total - run.refused_letters.length)} more`) : null));
}

/** A warning that the API may already have this many dead letters; null for none. */
export function unconfirmedWarning(count) {
  if (!count) return null;
  const [are, them] = count === 1 ? ["is", "it"] : ["are", "them"];
  return el("p", { class: "dead-letters-problem" },
    `${number(count)} of them ${are} unconfirmed: the API may have ${them} already, and a replay sends ${them} again.`);
}

/** A checkbox for a dialog: when ticked, `force` is among its values. */
export function forceBox(label) {
  return el("div", { class: "form-check mt-3" },
    el("input", { type: "checkbox", class: "form-check-input", name: "force", value: "yes", id: "ask-force" }),
    el("label", { class: "form-check-label", for: "ask-force" }, label));
}

/** Do a dry run, with its progress in a dialog. Closing the dialog stops it. Resolves to the run, or null when stopped. */
async function dryRun(runs, verb, selection) {
  const { id } = await change(runs, { verb, ...selection });
  const bar = el("progress", { "aria-label": "Checked" });
  const text = el("p", { role: "status" }, "Checking what would happen…");
  const cancel = el("button", { type: "button", class: "btn btn-outline-secondary" }, "Cancel");
  const dialog = el("dialog", { class: "lanes-ask", "aria-label": "Dry run" }, text, bar, el("div", { class: "d-flex justify-content-end mt-4" }, cancel));
  cancel.addEventListener("click", () => dialog.close());
  let stopped = false;
  dialog.addEventListener("close", () => { stopped = true; });
  document.body.append(dialog);
  const url = `${runs}/${id}`;
  try {
    for (let round = 0; ; round += 1) {
      const run = await request(`${url}/data`);
      if (run.state !== "running") {
        if (run.state === "done") return run;
        throw new Error(run.waiting || "the dry run was stopped");
      }
      if (stopped) {
        await change(`${url}/stop`);
        return null;
      }
      if (round && !dialog.open) dialog.showModal();
      const seen = run.done + refusedCount(run);
      bar.max = Math.max(run.total, seen, 1);
      bar.value = seen;
      text.textContent = run.waiting ? `Waiting: ${run.waiting}` : `Checked ${number(seen)} of ${number(run.total)}; nothing is changed.`;
      await pause(round ? POLL_MS : 60);
    }
  } finally {
    dialog.remove();
  }
}

/** Replay or purge after a dry run and a question. Resolves to the id of the run, or null when none was started. */
export async function startBulkRun(runs, verb, selection) {
  const preview = await dryRun(runs, verb, selection);
  if (preview === null) return null;
  const superseded = preview.refused.superseded || 0;
  if (!preview.done && !(verb === "replay" && superseded)) {
    await ask({ title: `Nothing to ${verb}`, text: "All of them would be refused.", more: refusals(preview), confirm: "Close" });
    return null;
  }
  const purge = verb === "purge";
  const given = await ask({
    title: `${purge ? "Purge" : "Replay"} ${deadLetters(preview.done)}?`,
    text: purge
      ? "They count as cancelled, and their bodies are deleted at once. An export keeps them."
      : "Each joins its lane and is sent at the lane's pace. Earlier attempts are kept, but no longer count.",
    confirm: purge ? "Purge" : "Replay",
    danger: purge,
    more: el("div", {}, unconfirmedWarning(preview.unconfirmed), refusals(preview), !purge && superseded
      ? forceBox(`Send the ${number(superseded)} superseded, too: they overwrite newer data`) : null),
  });
  if (given === null) return null;
  const { id } = await change(runs, { of: preview.id, force: given.force === "yes" });
  return id;
}

/** Wait until a run ends. */
export async function waitForRun(runs, id) {
  for (;;) {
    const run = await request(`${runs}/${id}/data`);
    if (run.state !== "running") return run;
    await pause(POLL_MS);
  }
}

/** Ask for the file format, and let the browser save the file. */
export async function exportFile(selection, count) {
  const more = el("fieldset", {}, el("legend", { class: "fs-6 fw-semibold" }, "As"),
    ...[["jsonl", "JSON Lines"], ["csv", "CSV"]].map(([value, label], at) => el("div", { class: "form-check" },
      el("input", { type: "radio", class: "form-check-input", name: "format", id: `as-${value}`, value, checked: at === 0 }),
      el("label", { class: "form-check-label", for: `as-${value}` }, label))));
  const given = await ask({
    title: `Export ${deadLetters(count)}?`,
    text: "The file contains their bodies. The export is recorded in the audit log under your name. They stay dead letters.",
    confirm: "Export",
    more,
  });
  if (given === null) return;
  const form = document.getElementById("export");
  form.elements.given.value = JSON.stringify({ ...selection, format: given.format });
  form.submit();
}
