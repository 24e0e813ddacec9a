// The throughput page.

import { rate, rates } from "./charts.js";
import { el, formatTime, number, pluralize, poll, span, write } from "./live.js";
import { drawStops, stopLines } from "./stop_banner.js";

const page = document.getElementById("throughput");
const drawHour = rates("hour", 300);
const drawDay = rates("day", 3600);

function percent(share) {
  return share === null ? "–" : `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
}

function stoppedLanes(stopped, how) {
  if (!stopped) return [];
  const which = stopped.lanes === 1 ? "" : "the longest, ";
  return [["warning", `${pluralize(stopped.lanes, "lane")} ${how}: ${which}${stopped.location_id}, since ${formatTime(stopped.since)}`]];
}

function drawNow({ rates: now, in_use: use, backlog, oldest }) {
  write("rate", rate(now.delivered));
  write("rate-note", `retried ${rate(now.retried)}, throttled ${rate(now.throttled)}, dead ${rate(now.dead)}; last half minute`);
  write("share", percent(use.share));
  write("share-note", use.lanes
    ? `${number(use.used)} of ${number(use.allowed)} requests in the windows of ${pluralize(use.lanes, "lane")} with work`
    : "no lane has work that it may send");
  write("gone", backlog.jobs ? (backlog.seconds === null ? "not moving" : span(backlog.seconds)) : "nothing pending");
  const held = backlog.held ? `; ${number(backlog.held)} more held` : "";
  const braked = backlog.braked ? `; ${number(backlog.braked)} more on the brake` : "";
  write("gone-note", `${pluralize(backlog.jobs, "job")} at ${rate(backlog.pace)}/s, ${rate(backlog.incoming)}/s come in${held}${braked}`);
  document.getElementById("gone-card").classList.toggle("metric-card-danger", backlog.jobs > 0 && backlog.seconds === null);
  write("oldest", oldest ? span(oldest.seconds) : "none pending");
  const note = document.getElementById("oldest-note");
  const location = oldest ? oldest.location_id : "";
  if (note.textContent !== location) note.replaceChildren(oldest?.url ? el("a", { href: oldest.url }, location) : location);
}

const BOUND = { cpu: "bound by the workers' CPU", senders: "bound by the sender threads", limit: "bound by the API's limit", nothing: "not bound: workers wait for jobs" };

function drawWorkers({ alive, capacity, busy, bound_by: by }) {
  write("workers", number(alive));
  const usage = `can send ${pluralize(capacity, "job")} at once, ${percent(busy)} busy; ${BOUND[by]}`;
  write("workers-note", alive ? usage : "nothing is sent");
  document.getElementById("workers-card").classList.toggle("metric-card-danger", alive === 0);
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
    if (!list.querySelector(`[data-total=${name}]`)) {
      list.append(el("div", {}, el("dt", {}, name.replace("_", " ")), el("dd", { "data-total": name })));
    }
    write(list.querySelector(`[data-total=${name}]`), number(count));
  }
}

function used(jobs, quota) {
  return quota === null ? number(jobs) : `${number(jobs)} of ${number(quota)}`;
}

let servicesDrawn = "[]";

function drawServices(services) {
  const found = JSON.stringify(services);
  if (found === servicesDrawn) return;
  servicesDrawn = found;
  document.getElementById("services-panel").hidden = services.length === 0;
  document.getElementById("services").replaceChildren(...services.map((service) => el("tr", {},
    el("th", { scope: "row" }, service.name),
    el("td", {}, used(service.pending, service.max_pending)),
    el("td", {}, used(service.dead, service.max_dead)),
    el("td", {}, service.rate === null ? "–" : number(service.rate)),
    el("td", {}, number(service.refused)))));
}

function overQuota(services) {
  return services.filter((service) => service.over.length)
    .map((service) => ["warning", `service ${service.name} is over its quota ${service.over.join(" and ")}: its new rows are refused`]);
}

poll(page.dataset.source, (found) => {
  drawStops([...stopLines(found.global_state), ...stoppedLanes(found.braked, "on the brake"), ...stoppedLanes(found.held, "held"), ...overQuota(found.services)], found.error);
  drawNow(found);
  drawTotals(found.counts);
  drawWorkers(found.workers);
  drawLatency(found.latency);
  drawServices(found.services);
  drawHour(found.hour);
  drawDay(found.day);
});
