// The list of the dead letters: what is chosen, what is done with it, how far that is. The rows come from the server.
import { withErrorToast, letters, startBulkRun, refusals, exportFile } from "./bulk_actions.js";
import { change, el, number, poll, toast, write } from "./live.js";

const page = document.getElementById("dead-letters");
const query = Object.fromEntries(new URLSearchParams(window.location.search));
let matching = 0;
let all = false;
let version = Number(page.dataset.version);
let fetching = false;
let shownRuns = "";

const boxes = () => [...page.querySelectorAll(".dead-letters-pick input")];
const picked = () => boxes().filter((box) => box.checked).map((box) => box.value);
const count = () => (all ? matching : picked().length);
const selection = () => (all ? { query } : { ids: picked() });

function showSelection() {
  const chosen = count();
  const text = all ? `All ${number(matching)} that match` : chosen ? `${number(chosen)} chosen` : "None chosen";
  write("picked", text);
  for (const button of page.querySelectorAll("[data-move], [data-export]")) button.disabled = chosen === 0;
  for (const button of page.querySelectorAll("#pick-page, #pick-all")) button.disabled = false; // a click is heard now
}

function pick(everything, checked) {
  all = everything;
  for (const box of boxes()) box.checked = checked;
  showSelection();
}

// The rows are replaced now and then, so what is clicked is looked for where the click arrives.
page.addEventListener("change", (event) => {
  if (!event.target.closest(".dead-letters-pick")) return;
  all = false;
  showSelection();
});

page.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "pick-page") pick(false, !boxes().every((box) => box.checked));
  else if (button.id === "pick-all") pick(!all, !all);
  else if (button.id === "show-news") showNews();
  else if (button.dataset.move) withErrorToast(() => begin(button.dataset.move));
  else if ("export" in button.dataset) withErrorToast(() => exportFile(selection(), count()));
  else if (button.dataset.stop) withErrorToast(() => change(button.dataset.stop));
});

async function begin(verb) {
  const id = await startBulkRun(page.dataset.runs, verb, selection());
  if (id === null) return;
  pick(false, false);
  toast(`The ${verb} goes on in the background`);
  refresh();
}

const running = (run) => run.state === "running";

function runItem(run) {
  const refused = Object.values(run.refused).reduce((sum, each) => sum + each, 0);
  const seen = run.done + refused;
  const state = { running: "", done: "ended", stopped: "stopped", failed: "failed" }[run.state];
  return el("li", { "data-run": run.id },
    el("div", { class: "dead-letters-run-head" },
      el("span", {}, el("strong", {}, run.verb === "purge" ? "Purge" : "Replay"), ` of ${run.on}, by ${run.who}`),
      el("span", {}, `${run.done_word} ${number(run.done)} of ${letters(run.total)}${state ? `, ${state}` : ""}`),
      running(run) && "mayChange" in page.dataset
        ? el("button", { type: "button", class: "btn btn-sm btn-outline-secondary", "data-stop": `${page.dataset.runs}/${run.id}/stop` }, "Stop") : null),
    running(run) ? el("progress", { max: Math.max(run.total, seen, 1), value: seen, "aria-label": `${run.verb} of ${run.on}` }) : null,
    run.waiting ? el("p", { class: "lanes-note" }, running(run) ? `Waiting: ${run.waiting}` : run.waiting) : null,
    refusals(run));
}

function drawRuns(runs) {
  const told = JSON.stringify(runs);
  if (told === shownRuns) return;
  shownRuns = told;
  page.querySelector("#runs").hidden = runs.length === 0;
  const list = page.querySelector("#runs-list");
  const open = new Set([...list.querySelectorAll("details[open]")].map((each) => each.closest("[data-run]").dataset.run));
  const stopping = list.contains(document.activeElement) ? document.activeElement.dataset.stop : null;
  list.replaceChildren(...runs.map(runItem));
  for (const item of list.children) if (open.has(item.dataset.run)) item.querySelector("details")?.setAttribute("open", "");
  if (stopping) list.querySelector(`[data-stop="${CSS.escape(stopping)}"]`)?.focus();
}

/** Nobody is in the middle of something that new rows would disturb. */
function quiet() {
  return !all && !picked().length && !page.querySelector("#found").contains(document.activeElement)
    && !document.querySelector("dialog[open]") && window.getSelection().isCollapsed;
}

function showNewsNotice(there) {
  document.getElementById("news").hidden = !there;
}

function showNews() {
  pick(false, false);
  document.getElementById("show-news").blur();
  refresh();
}

/** Put the rows as the server shows them now in the place of those that are here. */
async function renew(newer) {
  if (fetching) return;
  if (!quiet()) {
    showNewsNotice(all || picked().length > 0);
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(window.location.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!quiet()) return;
    for (const id of ["found", "count", "truncated"]) {
      document.getElementById(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
    }
    version = newer;
    showNewsNotice(false);
    showSelection();
  } catch {
    // The next answer of the poll tells whether the dashboard is there.
  } finally {
    fetching = false;
  }
}

const refresh = poll(() => page.dataset.source + window.location.search, (data) => {
  matching = data.matching;
  drawRuns(data.runs);
  if (all) showSelection();
  if (data.version !== version) renew(data.version);
});

showSelection();
