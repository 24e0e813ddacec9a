// The page of one job.

import { act, ask, change, el, formatTime, number, poll, span, toast, write } from "./live.js";
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

/** Replace what a node shows, unless it shows that already: a reader keeps the selection. */
function draw(node, values, children) {
  const shown = JSON.stringify(values);
  if (node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  node.replaceChildren(...children());
}

function eventItem(event) {
  const facts = event.facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  return el("li", { class: `lanes-event lanes-event-${event.tone}` },
    el("p", { class: "lanes-event-words" }, event.words, event.job_id ? " " : null, event.job_id ? jobLink(event.job_id) : null,
      event.seconds === null ? null : el("span", {}, ` ${span(event.seconds)}`)),
    event.dated ? el("time", { datetime: new Date(event.at * 1000).toISOString() }, formatTime(event.at)) : null,
    facts.length ? el("dl", {}, ...facts) : null);
}

function waitItem(wait) {
  return el("li", { class: "lanes-event lanes-event-now" },
    el("p", { class: "lanes-event-words" }, `waits ${wait.words}`, wait.job_id ? " " : null, wait.job_id ? jobLink(wait.job_id) : null),
    wait.until ? el("time", { datetime: new Date(wait.until * 1000).toISOString() }, `until ${formatTime(wait.until)}`) : null);
}

function options(job, lane) {
  const time = (value) => (value === null ? null : formatTime(value));
  return [
    ["Location", el("a", { href: lane }, job.location_id)],
    ["Accepted", time(job.accepted_at)],
    ["Not before", time(job.not_before)],
    ["Expires", time(job.expires_at)],
    ["Of an event", time(job.event_time)],
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
  return el("table", { class: "table workers-table lanes-grid" }, el("caption", { class: "visually-hidden" }, title),
    el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "lanes-head-text" }, "Field"), el("th", { scope: "col", class: "lanes-head-text" }, "Value"))),
    el("tbody", {}, ...rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
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
  draw(document.getElementById("body"), [fields, before], () => [
    fields ? fieldTable("Fields and kinds of values", kinds(fields)) : null,
    before ? el("p", { class: "lanes-note" }, "It was edited. As it was accepted:") : null,
    before ? fieldTable("Fields before it was edited", kinds(before)) : null,
  ].filter(Boolean));
}

function drawMergedJobs({ total, some }) {
  show(document.getElementById("merged-jobs-panel"), total > 0);
  write("merged-jobs-note", total > some.length ? `${number(some.length)} of ${number(total)}` : number(total));
  draw(document.getElementById("merged-jobs"), some, () => some.map((other) => el("li", {}, jobLink(other))));
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
  draw(document.getElementById("history"), [found.history, found.waits], () => [...found.history.map(eventItem), ...found.waits.map(waitItem)]);
  draw(document.getElementById("options"), [job, found.lane], () =>
    options(job, found.lane).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  drawBody(found);
  drawMergedJobs(found.merged_jobs);
  drawLinks(found);
});

document.getElementById("reveal")?.addEventListener("click", async () => {
  const sure = await ask({
    title: "Show what is in this job?",
    text: "It may hold what people told a business in confidence. That you looked at it is written to the audit log.",
    confirm: "Show it",
  });
  if (sure === null) return;
  try {
    const { body, original, record } = await change(page.dataset.reveal, { id });
    revealed = true;
    write("body-note", "shown; recorded in the audit log");
    const rows = (values) => Object.entries(values).map(([name, value]) => [name, shown(value)]);
    const target = document.getElementById("body");
    delete target.dataset.shown;
    target.replaceChildren(...[
      fieldTable("What is in it", [...rows(body), ["(its record)", record]]),
      original ? el("p", { class: "lanes-note" }, "As it was accepted, before it was edited:") : null,
      original ? fieldTable("Before it was edited", rows(original)) : null,
    ].filter(Boolean));
    target.tabIndex = -1;
    target.focus();
    refresh();
  } catch (error) {
    toast(error.message, "danger");
  }
});

document.getElementById("cancel")?.addEventListener("click", () => act({
  title: "Cancel this job?",
  text: "It is taken out of its lane, its content goes, and it is not sent. This cannot be undone.",
  confirm: "Cancel the job",
  danger: true,
}, page.dataset.cancel, { values: { id }, done: (answer) => answer.message, refresh }));
