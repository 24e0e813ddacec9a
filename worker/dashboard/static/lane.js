// The page of one lane.

import { rates } from "./charts.js";
import { act, el, formatTime, number, poll, span, write } from "./live.js";
import { bar, fillBar, jobAddress, show, syncRows } from "./rows.js";
import { brakeLine, drawStops, stopLines } from "./stop_banner.js";

const SERIES_MS = 30000;
const page = document.getElementById("lane");
const { location: name } = page.dataset;
const from = { ready: 0, delayed: 0 };
const bars = { window: bar("Requests in the window"), day: bar("Requests in the day") };
const drawDay = rates(document.getElementById("day-chart"), document.querySelector("#day-table tbody"), 3600);
let last = null;

for (const [place, made] of Object.entries(bars)) document.getElementById(place).append(made);

// Of each part: what stands in a row behind the job's id, with its label.
const PARTS = {
  ready: [["Accepted", (job) => formatTime(job.accepted_at)], ["Attempts", (job) => number(job.attempt)], ["Priority", (job) => number(job.priority)],
    ["Blocked by it", (job) => number(job.blocked_count)]],
  delayed: [["Waits until", (job) => formatTime(job.until)], ["Attempts", (job) => number(job.attempt)], ["Priority", (job) => number(job.priority)],
    ["Blocked by it", (job) => number(job.blocked_count)]],
  in_flight: [["Sent", (job) => formatTime(job.released_at)], ["Attempt", (job) => number(job.attempt)], ["Worker", (job) => job.worker],
    ["Lease ends", (job) => (job.until ? formatTime(job.until) : "ended")]],
  dead_letters: [["Failed at", (job) => formatTime(job.ended_at)], ["Attempts", (job) => number(job.attempt)], ["Why", (job) => job.reason],
    ["Accepted", (job) => formatTime(job.accepted_at)]],
};

function drawPart(part, jobs) {
  const columns = PARTS[part];
  syncRows(document.querySelector(`#${part} tbody`), jobs, (job) => job.id,
    (job) => el("tr", { role: "row" },
      el("th", { scope: "row", role: "rowheader", class: "lanes-id" }, el("a", { href: jobAddress(page.dataset.job, job.id) }, job.id)),
      ...columns.map(([label]) => el("td", { role: "cell", "data-label": label }))),
    (row, job) => columns.forEach(([, render], at) => write(row.children[at + 1], render(job))));
  show(document.getElementById(`${part}-none`), jobs.length === 0);
}

function drawPaged(part, { total, jobs }) {
  if (jobs.length === 0 && from[part] > 0 && total > 0) { // The lane has become shorter than what is looked at.
    from[part] = Math.max(0, (Math.ceil(total / last.step) - 1) * last.step);
    refresh();
    return;
  }
  drawPart(part, jobs);
  const pager = document.querySelector(`[data-part=${part}]`).closest("nav");
  show(pager, total > last.step);
  write(`${part}-range`, jobs.length ? `${number(from[part] + 1)}–${number(from[part] + jobs.length)} of ${number(total)}` : "0");
  const [previous, next] = pager.querySelectorAll("button");
  previous.disabled = from[part] === 0;
  next.disabled = from[part] + last.step >= total;
}

function showStops({ global_state, lane }) {
  const lines = stopLines(global_state);
  if (lane.hold !== null) {
    const since = lane.held_at ? ` since ${formatTime(lane.held_at)}` : "";
    lines.push(["warning", `Held${since} by ${lane.hold_text}`]);
  }
  if (lane.brake) lines.push(["danger", `On the brake since ${formatTime(lane.brake.since)}: ${brakeLine(lane.brake)}`]);
  if (lane.failing) lines.push(["danger", `Failing: ${number(lane.failing)} requests in a row, single probes go out`]);
  drawStops(lines);
}

function drawLane(lane) {
  for (const count of ["pending", "in_flight", "delivered", "dead"]) write(`count-${count}`, number(lane[count]));
  write("accepted", `of ${number(lane.accepted)} accepted`);
  write("oldest", lane.oldest === null ? "none could be sent by now" : `the oldest for ${span(lane.oldest)}`);
  write("next", lane.next === null ? "no release is planned" : lane.next < 1 ? "the next release is due" : `next release in ${span(lane.next)}`);
  fillBar(bars.window, lane.window);
  fillBar(bars.day, lane.day);
  const said = (limit, own) => ({ person: own === null ? "as for all" : "its own", api: "as the API says", default: "until the API says" })[limit.by];
  write("limits", `${number(lane.window.of)} in a window (${said(lane.window, lane.burst)}), ${number(lane.day.of)} in a day (${said(lane.day, lane.daily)})`);
  write("weight", lane.weight === null ? "1 (as for all)" : `${number(lane.weight)} (its own)`);
}

function drawButtons(lane) {
  const [hold, resume, limit, reset] = ["hold", "resume", "limit", "reset"].map((id) => document.getElementById(id));
  if (!hold) return;
  hold.disabled = limit.disabled = false;
  show(hold, lane.hold === null);
  show(resume, lane.hold !== null);
  show(document.getElementById("end-brake"), lane.brake !== null);
  show(reset, [lane.burst, lane.daily, lane.weight].some((limit_) => limit_ !== null));
}

const refresh = poll(() => `${page.dataset.source}?${new URLSearchParams({ location: name, ...from })}`, (found) => {
  last = found;
  showStops(found);
  drawLane(found.lane);
  drawButtons(found.lane);
  drawPaged("ready", found.ready);
  drawPaged("delayed", found.delayed);
  drawPart("in_flight", found.in_flight);
  const { in_flight: inFlight } = found.lane;
  write("in_flight-note", inFlight > found.in_flight.length ? `${number(found.in_flight.length)} of ${number(inFlight)} on their way` : `${number(inFlight)} on ${inFlight === 1 ? "its" : "their"} way`);
  drawPart("dead_letters", found.dead_letters);
});

const TOKENS = {
  private: "its own Private Integration Token",
  oauth: "its own OAuth pair, renewed by the workers",
  agency: "minted with the token of its agency",
  common: "the one for all locations without their own (LANES_API_TOKEN)",
  none: "none: its jobs are refused until there is one (lanes token set)",
  unreadable: "one is stored, but cannot be read here",
};

function tokenText({ kind, expires_at: end, note }) {
  const until = end ? `; its access token ends ${formatTime(end)}` : "";
  return `${TOKENS[kind] ?? kind}${until}${note ? ` (${note})` : ""}`;
}

async function drawSeries() {
  if (document.hidden) return;
  const answer = await fetch(`${page.dataset.series}?${new URLSearchParams({ location: name })}`, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return; // The page says already that its data do not come.
  const { at, step, counts, token } = await answer.json();
  drawDay({ at, step, ...Object.fromEntries(Object.entries(counts).map(([event, values]) => [event, values.map((value) => value / step)])) });
  write("token", tokenText(token));
}
drawSeries();
setInterval(drawSeries, SERIES_MS);

for (const button of page.querySelectorAll("[data-part]")) {
  button.addEventListener("click", () => {
    const { part, way } = button.dataset;
    from[part] = Math.max(0, from[part] + Number(way) * last.step);
    refresh();
  });
}

const message = (answer) => answer.message;
const values = { location: name };

document.getElementById("hold")?.addEventListener("click", () => act({
  title: "Hold this lane?",
  text: `${name} sends nothing more until it is resumed. What is on its way ends; jobs are accepted and wait, and do not expire meanwhile. Other lanes go on.`,
  confirm: "Hold",
  fields: [{ name: "reason", label: "Why, for whoever looks at it later", required: true, maxlength: 500, autocomplete: "off" }],
}, page.dataset.hold, { values, done: message, refresh }));

document.getElementById("resume")?.addEventListener("click", () => {
  const { hold_text: by, hold_causes: causes, held_at } = last.lane;
  const was = `It is held by ${by}. `;
  const text = causes.includes("authorization")
    ? `${was}Its token was not accepted. If it is not accepted now either, the next job becomes a dead letter and the lane is held again. A new token (lanes token set ${name}) ${causes.length > 1 ? "takes that cause away" : "resumes it by itself"}.`
    : `${was}What waited is sent from now on.`;
  act({ title: "Resume this lane?", text, confirm: "Resume" }, page.dataset.resume, { values: { ...values, held_at }, done: message, refresh });
});

document.getElementById("end-brake")?.addEventListener("click", () => {
  const { refusals, status, since } = last.lane.brake;
  const text = `The API refused ${number(refusals)} requests in a row, the last with status ${status}. What waits is sent from now on: if it refuses still, as many jobs become dead letters before the lane is on the brake again. The first delivery ends the brake by itself.`;
  act({ title: "End the brake of this lane?", text, confirm: "End the brake" }, page.dataset.endBrake, { values: { ...values, since }, done: message, refresh });
});

function number_(field, label, max, help) {
  return { name: field, label, type: "number", min: 1, max, value: last.lane[field] ?? "", inputmode: "numeric", help };
}

document.getElementById("limit")?.addEventListener("click", () => act({
  title: "Limits of this lane",
  text: "They hold from the next request on; what is empty is as for all. A location never sends more than the API itself says that it may.",
  confirm: "Set limits",
  fields: [
    number_("burst", "Requests in a window", 1e9),
    number_("daily", "Requests in a day", 1e9),
    number_("weight", "Weight: turns for one turn of others, when workers are short", 100),
  ],
}, page.dataset.limit, { values, done: message, refresh }));

document.getElementById("reset")?.addEventListener("click", () => act({
  title: "Limits as for all?",
  text: `${name} gets the limits and the weight that all locations have.`,
  confirm: "Use the common limits",
}, page.dataset.limit, { values, done: message, refresh }));
