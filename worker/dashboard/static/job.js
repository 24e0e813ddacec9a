// The page of one job.

import { act, ask, change, el, formatTime, number, poll, redraw, span, withErrorToast, write } from "./live.js";
import { shown } from "./reveal.js";
import { jobAddress, show } from "./rows.js";

const page = document.getElementById("job");
const { id } = page.dataset;
let revealed = false;

const STATES = {
  pending: "secondary", in_flight: "active", delivered: "success", dead: "danger", expired: "danger", cancelled: "secondary", merged: "secondary",
};

function jobLink(other) {
  return el("a", { href: jobAddress(page.dataset.job, other), class: "lanes-id" }, other);
}

function eventWords(words, jobId, seconds = null) {
  return el("p", { class: "lanes-event-words" }, words, jobId ? " " : null, jobId ? jobLink(jobId) : null,
    seconds === null ? null : el("span", {}, ` ${span(seconds)}`));
}

function eventItem(event) {
  const facts = event.facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  return el("li", { class: `lanes-event lanes-event-${event.tone}` },
    eventWords(event.words, event.job_id, event.seconds),
    event.dated ? el("p", { class: "lanes-event-time" }, formatTime(event.at)) : null,
    facts.length ? el("dl", {}, ...facts) : null);
}

function waitItem(wait) {
  return el("li", { class: "lanes-event lanes-event-now" },
    eventWords(`waits ${wait.words}`, wait.job_id), wait.until ? el("p", { class: "lanes-event-time" }, `until ${formatTime(wait.until)}`) : null);
}

function options(job, lane) {
  const time = (value) => (value === null ? null : formatTime(value));
  return [
    ["Location", el("a", { href: lane }, job.location_id)],
    ["Accepted", time(job.accepted_at)],
    ["Not before", time(job.not_before)],
    ["Expires", time(job.expires_at)],
    ["Event time", time(job.event_time)],
    ["Service", job.service],
    ["Priority", number(job.priority)],
    ["API version", job.api_version],
    ["Failures that count", number(job.failures)],
    ["Opportunity", job.opportunity_id],
    ["Created it", job.new === null ? null : job.new ? "yes" : "no, updated it"],
    ["Ended", time(job.ended_at)],
  ].filter(([, value]) => value !== null && value !== undefined);
}

function fieldTable(title, rows) {
  const head = (name) => el("th", { scope: "col", class: "lanes-head-text" }, name);
  return el("table", { class: "table workers-table lanes-grid mb-3" }, el("caption", { class: "visually-hidden" }, title),
    el("thead", {}, el("tr", {}, head("Field"), head("Value"))),
    el("tbody", {}, ...rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
}

function bodyParts(title, rows, before) {
  return [fieldTable(title, rows), ...(before ? [el("p", { class: "lanes-note" }, "Before it was edited:"), fieldTable("Before it was edited", before)] : [])];
}

function drawBody({ fields, fields_before: before }) {
  show(document.getElementById("body-none"), fields === null);
  const button = document.getElementById("reveal");
  if (button) show(button, fields !== null && !revealed);
  if (fields === null) {
    revealed = false;
    write("body-note", "gone");
  }
  if (revealed) return;
  const kinds = (list) => list.map((field) => [field.name, el("i", {}, field.kind)]);
  redraw(document.getElementById("body"), [fields, before], () =>
    (fields ? bodyParts("Fields and types of values", kinds(fields), before && kinds(before)) : []));
}

function drawMergedJobs({ total, some }) {
  show(document.getElementById("merged-jobs-panel"), total > 0);
  write("merged-jobs-note", total > some.length ? `${number(some.length)} of ${number(total)}` : number(total));
  redraw(document.getElementById("merged-jobs"), some, () => some.map((other) => el("li", {}, jobLink(other))));
}

function drawLinks(found) {
  const lane = document.getElementById("lane-link");
  if (!lane.href) lane.href = found.lane;
  write(lane, found.job.location_id);
  for (const name of ["task", "dead_letter"]) {
    const link = document.getElementById(`${name}-link`);
    if (found[name] && link.getAttribute("href") !== found[name]) link.href = found[name];
    show(link, Boolean(found[name]));
  }
  const cancel = document.getElementById("cancel");
  if (cancel) show(cancel, found.may_cancel);
}

const refresh = poll(`${page.dataset.source}?${new URLSearchParams({ id })}`, (found) => {
  const { job } = found;
  const badge = document.getElementById("state");
  badge.className = `badge lanes-badge-${STATES[job.state] ?? "secondary"}`;
  write(badge, job.state.replace("_", " "));
  redraw(document.getElementById("history"), [found.history, found.waits], () => [...found.history.map(eventItem), ...found.waits.map(waitItem)]);
  redraw(document.getElementById("options"), [job, found.lane], () =>
    options(job, found.lane).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  drawBody(found);
  drawMergedJobs(found.merged_jobs);
  drawLinks(found);
});

document.getElementById("reveal")?.addEventListener("click", async () => {
  const sure = await ask({
    title: "Show the content of this job?",
    text: "It may be confidential. The audit log records that you looked at it.",
    confirm: "Show content",
  });
  const found = sure && await withErrorToast(() => change(page.dataset.reveal, { id }));
  if (!found) return;
  revealed = true;
  write("body-note", "shown; recorded in the audit log");
  const rows = (values) => Object.entries(values).map(([name, value]) => [name, shown(value)]);
  const target = document.getElementById("body");
  delete target.dataset.shown;
  target.replaceChildren(...bodyParts("Content", [...rows(found.body), ["(its record)", found.record]], found.original && rows(found.original)));
  target.tabIndex = -1;
  target.focus();
  refresh();
});

document.getElementById("cancel")?.addEventListener("click", () => act({
  title: "Cancel this job?",
  text: "It is removed from its lane, its content is deleted, and it is not sent. This cannot be undone.",
  confirm: "Cancel the job",
  danger: true,
}, page.dataset.cancel, { values: { id }, refresh }));
