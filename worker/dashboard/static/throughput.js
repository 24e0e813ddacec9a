// The throughput page.

import { rate, rates } from "./charts.js";
import { el, formatTime, number, poll, span, write } from "./live.js";

const page = document.getElementById("throughput");
const drawHour = rates(document.getElementById("hour-chart"), document.querySelector("#hour-table tbody"), 300);
const drawDay = rates(document.getElementById("day-chart"), document.querySelector("#day-table tbody"), 3600);

function percent(share) {
  return share === null ? "–" : `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
}

function pluralize(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

function drawStops({ global_state, held, braked }) {
  const lines = [];
  if (global_state.hold) lines.push(["danger", `Everything is held since ${formatTime(global_state.hold.at)} by ${global_state.hold.by}: ${global_state.hold.reason}`]);
  if (global_state.outage) {
    const { since, room } = global_state.outage;
    const probing = room === 1 ? "single probes go out" : `ending, ${room} requests at a time`;
    lines.push(["danger", `Outage of the API since ${formatTime(since)}: ${probing}`]);
  }
  if (global_state.brake) {
    const { since, status } = global_state.brake;
    lines.push(["danger", `All lanes are on the brake since ${formatTime(since)}: refused with status ${status}, single probes go out`]);
  }
  if (braked) {
    const which = braked.lanes === 1 ? "" : "the longest, ";
    lines.push(["warning", `${pluralize(braked.lanes, "lane")} on the brake: ${which}${braked.location_id}, since ${formatTime(braked.since)}`]);
  }
  if (held) {
    const which = held.lanes === 1 ? "" : "the longest, ";
    lines.push(["warning", `${pluralize(held.lanes, "lane")} held: ${which}${held.location_id}, since ${formatTime(held.since)}`]);
  }
  const region = document.getElementById("stops");
  const text = lines.map((line) => line[1]).join("\n");
  if (region.dataset.shown === text) return;
  region.dataset.shown = text;
  region.replaceChildren(...lines.map(([kind, line]) => el("p", { class: `lanes-stop lanes-stop-${kind}` }, line)));
}

function drawNow({ rates: now, in_use: use, backlog, oldest }) {
  write("rate", rate(now.delivered));
  write("rate-note", `retried ${rate(now.retried)}, throttled ${rate(now.throttled)}, dead ${rate(now.dead)}; last half minute`);
  write("share", percent(use.share));
  write("share-note", use.lanes
    ? `${number(use.used)} of ${number(use.allowed)} requests in the windows of ${pluralize(use.lanes, "lane")} with work`
    : "no lane has work that it may send");
  write("gone", backlog.jobs ? (backlog.seconds === null ? "not moving" : span(backlog.seconds)) : "nothing waits");
  const held = backlog.held ? `; ${number(backlog.held)} more held` : "";
  const slowed = backlog.braked ? `; ${number(backlog.braked)} more on the brake` : "";
  write("gone-note", `${pluralize(backlog.jobs, "job")} at ${rate(backlog.pace)}/s, ${rate(backlog.incoming)}/s come in${held}${slowed}`);
  document.getElementById("backlog-card").classList.toggle("metric-card-danger", backlog.jobs > 0 && backlog.seconds === null);
  write("oldest", oldest ? span(oldest.seconds) : "none waits");
  const note = document.getElementById("oldest-note");
  const where = oldest ? oldest.location_id : "";
  if (note.textContent !== where) note.replaceChildren(oldest && oldest.url ? el("a", { href: oldest.url }, where) : where);
}

function drawWorkers(usage) {
  write("workers", number(usage.alive));
  const sendable = `can send ${pluralize(usage.capacity, "job")} at once`;
  const capacity = usage.unknown ? "asking how much they can send" : `${sendable}, ${percent(usage.busy)} busy`;
  write("workers-note", usage.alive ? capacity : "nothing is sent");
  document.getElementById("workers-card").classList.toggle("metric-card-danger", usage.alive === 0);
}

function drawLatency(latency) {
  for (const row of page.querySelectorAll("[data-band]")) {
    const { seconds } = latency[row.dataset.band][row.dataset.over];
    seconds.forEach((found, at) => write(row.children[at + 1], span(found)));
  }
}

function drawTotals(counts) {
  for (const node of page.querySelectorAll("[data-count]")) write(node, number(counts[node.dataset.count]));
  const list = document.getElementById("totals");
  for (const [name, count] of Object.entries(counts)) {
    let place = list.querySelector(`[data-total=${name}]`);
    if (!place) {
      place = el("dd", { "data-total": name });
      list.append(el("div", {}, el("dt", {}, name.replace("_", " ")), place));
    }
    write(place, number(count));
  }
}

poll(page.dataset.source, (found) => {
  drawStops(found);
  drawNow(found);
  drawTotals(found.counts);
  drawWorkers(found.workers);
  drawLatency(found.latency);
  drawHour(found.hour);
  drawDay(found.day);
});
