// The table of lanes. The address holds its filter, order and page, so a reload or a bookmark keeps them.

import { resumeHeld } from "./bulk_resume.js";
import { act, el, formatTime, number, poll, span, updateAddress, write } from "./live.js";
import { address, bar, fillBar, show, syncRows } from "./rows.js";
import { brakeLine, drawStops, STOPS, stopLines } from "./stop_banner.js";

const page = document.getElementById("lanes");
const table = document.getElementById("lanes-table");
const search = document.getElementById("search");
const ASCENDING_FIRST = ["location", "next", "hold"];
const query = new URLSearchParams(page.dataset.query);
let last = null;

function updateQuery(changes) {
  updateAddress(query, { page: "", ...changes });
  refresh();
}

function makeRow(lane) {
  const number_ = (label) => el("td", { role: "cell", class: "lanes-number", "data-label": label });
  return el("tr", { role: "row" },
    el("th", { scope: "row", role: "rowheader", class: "lanes-name" }, el("a", { href: address(page.dataset.lane, lane.location) }, lane.location)),
    number_("Pending"), number_("In flight"), number_("Delivered"), number_("Dead"),
    el("td", { role: "cell", "data-label": "Window" }, bar(`Window of ${lane.location}`)),
    el("td", { role: "cell", "data-label": "Day" }, bar(`Day of ${lane.location}`)),
    number_("Next release"), number_("Oldest job"),
    el("td", { role: "cell", class: "lanes-state", "data-label": "State" }, el("span", { class: "badge" }), " ", el("span", { class: "lanes-reason" })));
}

function fillRow(row, lane) {
  const [, pending, inFlight, delivered, dead, window_, day, next, oldest, state] = row.children;
  write(pending, number(lane.pending));
  write(inFlight, number(lane.in_flight));
  write(delivered, number(lane.delivered));
  write(dead, number(lane.dead));
  dead.classList.toggle("lanes-alarm", lane.dead > 0);
  fillBar(window_.firstElementChild, lane.window);
  fillBar(day.firstElementChild, lane.day);
  write(next, lane.waits_for ? STOPS[lane.waits_for] : lane.next === null ? "–" : lane.next < 1 ? "now" : `in ${span(lane.next)}`);
  write(oldest, span(lane.oldest));
  fillState(state, lane);
}

function fillState(cell, lane) {
  const [badge, reason] = cell.children;
  const [word, kind] = lane.hold !== null ? ["Held", "warning"] : lane.brake ? ["On the brake", "danger"] : lane.failing ? ["Failing", "danger"]
    : lane.pending || lane.in_flight ? ["Open", "success"] : ["Idle", "secondary"];
  const look = `badge lanes-badge-${kind}`;
  if (badge.className !== look) badge.className = look;
  write(badge, word);
  const held = lane.hold !== null ? lane.hold_text : "";
  const braked = lane.brake ? `${held ? "on the brake: " : ""}${brakeLine(lane)}` : "";
  write(reason, held || braked ? [held, braked].filter(Boolean).join("; ") : lane.failing ? `${lane.failing} in a row, single probes` : "");
  reason.title = lane.held_at ? `since ${formatTime(lane.held_at)}` : "";
}

function showStops(found) {
  const lines = stopLines(found.global_state);
  drawStops(lines, found.error);
}

function drawControls(found) {
  for (const button of page.querySelectorAll("[data-show]")) {
    const on = button.dataset.show === found.show;
    button.classList.toggle("active", on);
    button.setAttribute("aria-pressed", String(on));
    write(button.querySelector(".lanes-count"), number(found.matching[button.dataset.show]));
  }
  for (const head of table.querySelectorAll("[data-column]")) {
    const on = head.dataset.column === found.sort;
    head.setAttribute("aria-sort", on ? (found.descending ? "descending" : "ascending") : "none");
  }
  document.getElementById("sort").value = found.sort;
  document.getElementById("rows").value = String(found.rows);
  document.getElementById("previous").disabled = found.page <= 1;
  document.getElementById("next").disabled = found.page >= found.pages;
  const first = (found.page - 1) * found.rows;
  const range = found.found ? `${number(first + 1)}–${number(first + found.lanes.length)} of ${number(found.found)}` : "0";
  const of = found.found === found.all ? "" : ` found, ${number(found.all)} in all`;
  write("found", `${range} lanes${of}`);
  const [hold, resume] = ["hold-all", "resume-all"].map((id) => document.getElementById(id));
  if (hold) {
    show(hold, !found.global_state.hold);
    show(resume, Boolean(found.global_state.hold));
    show(document.getElementById("resume-held"), found.held > 0 || found.braked > 0);
    show(document.getElementById("end-brake"), Boolean(found.global_state.brake));
  }
}

const refresh = poll(() => `${page.dataset.source}?${query}`, (found) => {
  last = found;
  showStops(found);
  for (const [name, value] of Object.entries(found.totals)) {
    if (document.getElementById(`total-${name}`)) write(`total-${name}`, number(value));
  }
  drawControls(found);
  syncRows(table.tBodies[0], found.lanes, (lane) => lane.location, makeRow, fillRow);
  show(document.getElementById("none"), found.found === 0);
});

let typing = null;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => updateQuery({ search: search.value.trim() }), 250);
});
document.getElementById("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  updateQuery({ search: search.value.trim() });
});
for (const button of page.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => updateQuery({ show: button.dataset.show === "all" ? "" : button.dataset.show }));
}

function sortBy(column) {
  const descending = last && last.sort === column ? !last.descending : !ASCENDING_FIRST.includes(column);
  updateQuery({ sort: column, direction: descending ? "down" : "up" });
}

for (const head of table.querySelectorAll("[data-column]")) {
  head.firstElementChild.addEventListener("click", () => sortBy(head.dataset.column));
}
document.getElementById("sort").addEventListener("change", (event) => updateQuery({ sort: event.target.value, direction: "" }));
document.getElementById("rows").addEventListener("change", (event) => updateQuery({ rows: event.target.value }));
document.getElementById("previous").addEventListener("click", () => updateQuery({ page: last.page - 1 }));
document.getElementById("next").addEventListener("click", () => updateQuery({ page: last.page + 1 }));

function onClick(id, url, question, seen = () => ({})) {
  document.getElementById(id)?.addEventListener("click", () =>
    act(question(last.global_state), url, { values: seen(last.global_state), refresh }));
}

onClick("hold-all", page.dataset.holdAll, () => ({
  title: "Hold everything?",
  text: "No lane, present or future, sends anything until everything is resumed. Jobs in flight finish. New jobs are accepted and wait; they do not expire during the hold.",
  confirm: "Hold everything",
  danger: true,
  fields: [{ name: "reason", label: "Why", required: true, maxlength: 500, autocomplete: "off" }],
}));
onClick("resume-all", page.dataset.resumeAll, ({ hold }) => ({
  title: "Resume everything?",
  text: `It is held by ${hold.by}: ${hold.reason}. Pending jobs are sent from now on. Lanes with a hold of their own stay held.`,
  confirm: "Resume everything",
}), ({ hold }) => ({ held_at: hold.at }));
onClick("end-brake", page.dataset.endBrake, () => ({
  title: "End the brake of all lanes?",
  text: "Pending jobs are sent from now on. Lanes on their own brake stay on it. If the API still refuses, all lanes are on the brake again after the next refusal.",
  confirm: "End the brake of all",
}), ({ brake }) => ({ since: brake.since }));
document.getElementById("resume-held")?.addEventListener("click", () => resumeHeld(page.dataset.held, page.dataset.resumeHeld, refresh));
