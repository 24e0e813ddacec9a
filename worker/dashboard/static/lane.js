// The page of one lane.

import { rates } from "./charts.js";
import { act, el, formatTime, number, poll, request, span, write } from "./live.js";
import { bar, fillBar, jobAddress, show, syncRows } from "./rows.js";
import { brakeLine, drawStops, STOPS, stopLines } from "./stop_banner.js";

const SERIES_MS = 30000;
const page = document.getElementById("lane");
const { location: name } = page.dataset;
const from = { ready: 0, delayed: 0 };
const bars = { window: bar("Requests in the window"), day: bar("Requests in the day") };
const drawDay = rates("day", 3600);
let last = null;

for (const [place, made] of Object.entries(bars)) document.getElementById(place).append(made);

// The columns of each part after the job's id: how a cell is made. The labels are those of the table's head.
const time = (name) => (job) => formatTime(job[name]);
const count = (name) => (job) => number(job[name]);
const PARTS = {
  ready: [time("accepted_at"), count("attempt"), count("priority"), count("blocked_count")],
  delayed: [time("until"), count("attempt"), count("priority"), count("blocked_count")],
  in_flight: [time("released_at"), count("attempt"), (job) => job.worker, (job) => (job.until ? formatTime(job.until) : "ended")],
  dead_letters: [time("ended_at"), count("attempt"), (job) => job.reason, time("accepted_at")],
};

function drawPart(part, jobs) {
  const table = document.getElementById(part);
  const labels = [...table.tHead.rows[0].cells].slice(1).map((head) => head.textContent);
  syncRows(table.tBodies[0], jobs, (job) => job.id,
    (job) => el("tr", { role: "row" },
      el("th", { scope: "row", role: "rowheader", class: "lanes-id" }, el("a", { href: jobAddress(page.dataset.job, job.id) }, job.id)),
      ...labels.map((label) => el("td", { role: "cell", "data-label": label }))),
    (row, job) => PARTS[part].forEach((render, at) => write(row.children[at + 1], render(job))));
  show(document.getElementById(`${part}-none`), jobs.length === 0);
}

function drawPaged(part, { total, jobs }) {
  if (jobs.length === 0 && from[part] > 0 && total > 0) { // The lane has become shorter.
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
  if (lane.brake) lines.push(["danger", `On the brake since ${formatTime(lane.brake.since)}: ${brakeLine(lane)}`]);
  if (lane.failing) lines.push(["danger", `Failing: ${number(lane.failing)} requests in a row, single probes are sent`]);
  drawStops(lines);
}

function drawLane(lane) {
  for (const count of ["pending", "in_flight", "delivered", "dead"]) write(`count-${count}`, number(lane[count]));
  write("accepted", `of ${number(lane.accepted)} accepted`);
  write("oldest", lane.oldest === null ? "none is due" : `the oldest for ${span(lane.oldest)}`);
  write("next", lane.waits_for ? `waits for the ${STOPS[lane.waits_for]} to end` : lane.next === null ? "no release is planned" : lane.next < 1 ? "the next release is due" : `next release in ${span(lane.next)}`);
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
  write("in_flight-note", inFlight > found.in_flight.length ? `${number(found.in_flight.length)} of ${number(inFlight)}` : number(inFlight));
  drawPart("dead_letters", found.dead_letters);
});

const TOKENS = {
  private: "its own Private Integration Token",
  oauth: "its own OAuth pair, renewed by the workers",
  agency: "created with the token of its agency",
  common: "the common token (LANES_API_TOKEN)",
  none: "none: its jobs are refused until one is stored (lanes token set)",
  unreadable: "one is stored, but cannot be read here",
};

function tokenText({ kind, expires_at: end, note }) {
  const until = end ? `; its access token ends ${formatTime(end)}` : "";
  return `${TOKENS[kind] ?? kind}${until}${note ? ` (${note})` : ""}`;
}

async function drawSeries() {
  if (document.hidden) return;
  const found = await request(`${page.dataset.series}?${new URLSearchParams({ location: name })}`).catch(() => null);
  if (!found) return; // The live status shows that no data arrive.
  const { at, step, counts, token } = found;
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

function onClick(id, url, question, seen = () => ({})) {
  document.getElementById(id)?.addEventListener("click", () =>
    act(question(last.lane), url, { values: { location: name, ...seen(last.lane) }, refresh }));
}

onClick("hold", page.dataset.hold, () => ({
  title: "Hold this lane?",
  text: `${name} sends nothing more until it is resumed. Jobs in flight finish. New jobs are accepted and wait; they do not expire while the lane is held. Other lanes go on.`,
  confirm: "Hold",
  fields: [{ name: "reason", label: "Why", required: true, maxlength: 500, autocomplete: "off" }],
}));

onClick("resume", page.dataset.resume, ({ hold_text: by, hold_causes: causes }) => {
  const resumes = causes.length > 1 ? "removes that cause" : "resumes it automatically";
  const then = causes.includes("authorization")
    ? `Its token was not accepted. If it still is not, the next job becomes a dead letter and the lane is held again. A new token (lanes token set ${name}) ${resumes}.`
    : "Pending jobs are sent from now on.";
  return { title: "Resume this lane?", text: `It is held by ${by}. ${then}`, confirm: "Resume" };
}, ({ held_at }) => ({ held_at }));

onClick("end-brake", page.dataset.endBrake, ({ brake }) => ({
  title: "End the brake of this lane?",
  text: `The API refused ${number(brake.refusals)} requests in a row, the last with status ${brake.status}. Pending jobs are sent from now on: if the API still refuses them, as many become dead letters before the lane is on the brake again. The first delivery ends the brake automatically.`,
  confirm: "End the brake",
}), ({ brake }) => ({ since: brake.since }));

const limitField = (lane, field, label, max) => ({ name: field, label, type: "number", min: 1, max, value: lane[field] ?? "", inputmode: "numeric" });

onClick("limit", page.dataset.limit, (lane) => ({
  title: "Limits of this lane",
  text: "They apply from the next request on. An empty field means the common value. A location never sends more than the API allows.",
  confirm: "Set limits",
  fields: [
    limitField(lane, "burst", "Requests in a window", 1e9),
    limitField(lane, "daily", "Requests in a day", 1e9),
    limitField(lane, "weight", "Weight: its share of the workers when they are busy", 100),
  ],
}));

onClick("reset", page.dataset.limit, () => ({
  title: "Use the common limits?",
  text: `${name} gets the limits and the weight that all locations have.`,
  confirm: "Use the common limits",
}));
