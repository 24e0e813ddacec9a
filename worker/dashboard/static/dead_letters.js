// The list of dead letters: selection, actions and their progress. The server renders the rows.
import { deadLetters, exportFile, refusals, refusedCount, startBulkRun } from "./bulk_actions.js";
import { change, el, number, poll, redraw, toast, withErrorToast, write } from "./live.js";
import { drawStops } from "./stop_banner.js";

const page = document.getElementById("dead-letters");
const query = Object.fromEntries(new URLSearchParams(window.location.search));
let matching = 0;
let all = false;
let version = Number(page.dataset.version);
let fetching = false;

const boxes = () => [...page.querySelectorAll(".dead-letters-pick input")];
const picked = () => boxes().filter((box) => box.checked).map((box) => box.value);
const count = () => (all ? matching : picked().length);
const selection = () => (all ? { query } : { ids: picked() });

function showSelection() {
  const chosen = count();
  const text = all ? `All ${number(matching)} that match` : chosen ? `${number(chosen)} chosen` : "None chosen";
  write("picked", text);
  for (const button of page.querySelectorAll("[data-move], [data-export]")) button.disabled = chosen === 0;
  for (const button of page.querySelectorAll("#pick-page, #pick-all")) button.disabled = false;
}

function pick(everything, checked) {
  all = everything;
  for (const box of boxes()) box.checked = checked;
  showSelection();
}

// The rows are replaced now and then, so the page itself listens.
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
  toast(`The ${verb} runs in the background`);
  refresh();
}

const running = (run) => run.state === "running";

function runItem(run) {
  const seen = run.done + refusedCount(run);
  const state = { running: "", done: "ended", stopped: "stopped", failed: "failed" }[run.state];
  return el("li", { "data-run": run.id },
    el("div", { class: "d-flex flex-wrap column-gap-3 align-items-baseline justify-content-between" },
      el("span", {}, el("strong", {}, run.verb === "purge" ? "Purge" : "Replay"), ` of ${run.on}, by ${run.who}`),
      el("span", {}, `${run.done_word} ${number(run.done)} of ${deadLetters(run.total)}${state ? `, ${state}` : ""}`),
      running(run) && "mayChange" in page.dataset
        ? el("button", { type: "button", class: "btn btn-sm btn-outline-secondary", "data-stop": `${page.dataset.runs}/${run.id}/stop` }, "Stop") : null),
    running(run) ? el("progress", { max: Math.max(run.total, seen, 1), value: seen, "aria-label": `${run.verb} of ${run.on}` }) : null,
    run.waiting ? el("p", { class: "lanes-note" }, running(run) ? `Waiting: ${run.waiting}` : run.waiting) : null,
    refusals(run));
}

function drawRuns(runs) {
  const list = page.querySelector("#runs-list");
  const open = new Set([...list.querySelectorAll("details[open]")].map((each) => each.closest("[data-run]").dataset.run));
  const stopping = list.contains(document.activeElement) ? document.activeElement.dataset.stop : null;
  if (!redraw(list, runs, () => runs.map(runItem))) return;
  page.querySelector("#runs").hidden = runs.length === 0;
  for (const item of list.children) if (open.has(item.dataset.run)) item.querySelector("details")?.setAttribute("open", "");
  if (stopping) list.querySelector(`[data-stop="${CSS.escape(stopping)}"]`)?.focus();
}

/** Whether new rows would disturb nothing: no selection, focus, dialog or marked text. */
function quiet() {
  return !all && !picked().length && !page.querySelector("#found").contains(document.activeElement)
    && !document.querySelector("dialog[open]") && window.getSelection().isCollapsed;
}

function showNews() {
  pick(false, false);
  document.getElementById("show-news").blur();
  refresh();
}

/** Replace the rows by those of the server. */
async function renew(newer) {
  if (fetching) return;
  if (!quiet()) {
    document.getElementById("news").hidden = !all && !picked().length;
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
    document.getElementById("news").hidden = true;
    showSelection();
  } catch {
    // The next poll shows whether the dashboard answers.
  } finally {
    fetching = false;
  }
}

const refresh = poll(() => page.dataset.source + window.location.search, (data) => {
  matching = data.matching;
  drawStops([], data.error);
  drawRuns(data.runs);
  if (all) showSelection();
  if (data.version !== version) renew(data.version);
});

showSelection();
