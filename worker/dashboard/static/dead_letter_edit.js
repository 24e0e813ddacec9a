// Editing the body of a dead letter: opened on request, checked by the server, shown as a difference, then saved.
import { forceBox, unconfirmedWarning } from "./bulk_actions.js";
import { ask, change, el, toast, withErrorToast } from "./live.js";

const page = document.getElementById("edit");
const form = document.getElementById("form");
const problems = document.getElementById("problems");
const text = document.getElementById("text");
const rows = [...form.querySelectorAll("[data-field]")];
let opened = null;
let as = "cells";

const input = (row) => row.querySelector("input");
const problem = (row) => row.querySelector(".dead-letters-problem");

document.getElementById("open").addEventListener("click", () => withErrorToast(async () => {
  opened = await change(page.dataset.open);
  for (const row of rows) {
    const name = row.dataset.field;
    input(row).value = opened.cells[name] ?? "";
    if (opened.multiline.includes(name)) {
      input(row).disabled = true;
      input(row).placeholder = "several lines: edit it as JSON";
    }
  }
  text.value = opened.text;
  document.getElementById("masked").hidden = true;
  form.hidden = false;
  rows.map(input).find((each) => !each.readOnly && !each.disabled)?.focus();
}));

document.getElementById("open").disabled = false;

for (const button of form.querySelectorAll("[data-as]")) {
  button.addEventListener("click", () => {
    as = button.dataset.as;
    for (const each of form.querySelectorAll("[data-as]")) {
      each.classList.toggle("active", each === button);
      each.setAttribute("aria-pressed", String(each === button));
    }
    document.getElementById("cells").hidden = as !== "cells";
    document.getElementById("text-part").hidden = as !== "text";
    showProblems([]);
  });
}

/** Show each problem at its field, and all of them above the form. */
function showProblems(found) {
  for (const row of rows) {
    const own = found.filter((each) => as === "cells" && each.field.split(".")[0] === row.dataset.field);
    problem(row).hidden = !own.length;
    problem(row).textContent = own.map(line).join("; ");
    input(row).setAttribute("aria-invalid", String(own.length > 0));
    input(row).setAttribute("aria-describedby", own.length ? problem(row).id : "");
  }
  problems.hidden = !found.length;
  problems.replaceChildren(...found.map((each) => el("p", { class: "mb-0" }, (each.field ? `${each.field}: ` : "") + line(each))));
  if (found.length) problems.focus();
}

const line = (each) => each.message + (each.value ? ` (it is ${each.value})` : "");

function written() {
  if (as === "text") return { read: opened.read, text: text.value };
  return { read: opened.read, cells: Object.fromEntries(rows.map(input).filter((each) => !each.disabled).map((each) => [each.name, each.value])) };
}

function difference(changes) {
  if (!changes.length) return el("p", {}, "No field changes.");
  return el("table", { class: "dead-letters-changes" }, el("caption", { class: "visually-hidden" }, "What changes"),
    el("thead", {}, el("tr", {}, ...["Field", "Before", "After"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...changes.map((each) => el("tr", {}, el("th", { scope: "row" }, each.field),
      el("td", {}, each.before === null ? "not set" : el("del", {}, each.before)),
      el("td", {}, each.after === null ? "not set" : el("ins", {}, each.after))))));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  withErrorToast(() => save(event.submitter?.dataset.replay === "1"));
});

async function save(replay) {
  const checked = await change(page.dataset.change, { ...written(), check: true });
  showProblems(checked.problems || []);
  if (checked.problems) return;
  if (!checked.changes.length && !replay) {
    toast("No field changes");
    return;
  }
  const given = await ask({
    title: replay ? "Save and replay?" : "Save it?",
    more: el("div", {}, difference(checked.changes), replay && checked.why ? el("p", { class: "dead-letters-problem" }, `The replay would be refused: ${checked.why}.`) : null,
      replay && checked.unconfirmed ? unconfirmedWarning(1) : null,
      replay && checked.superseded ? forceBox("Overwrite newer data") : null),
    confirm: replay ? "Save and replay" : "Save",
  });
  if (given === null) return;
  const done = await change(page.dataset.change, { ...written(), replay, force: given.force === "yes" });
  if (replay && !done.replayed) {
    await ask({ title: "Saved, but not replayed", text: `${done.why}.`, confirm: "Close" });
  }
  window.location.assign(done.replayed ? page.dataset.job : page.dataset.deadLetter);
}
