// What stops lanes: lines at the top of a page.

import { el, formatTime, pluralize, redraw, span } from "./live.js";

/** What stops all lanes, by the reason why a lane waits. */
export const STOPS = { all_held: "hold of all", outage: "outage", all_braked: "brake of all" };

const nextProbe = (seconds) => (seconds ? `, the next in ${span(seconds)}` : "");

/** The lines for a global hold, an outage and a global brake, each as [kind, text]. */
export function stopLines({ hold, outage, brake }) {
  const lines = [];
  if (hold) lines.push(["danger", `Everything is held since ${formatTime(hold.at)} by ${hold.by}: ${hold.reason}`]);
  if (outage) {
    const { since, half_open_limit: limit, next_probe_in: next } = outage;
    const how = limit === 1 ? `all lanes pause, single probes are sent${nextProbe(next)}` : `ending, ${limit} requests at a time`;
    lines.push(["danger", `Outage of the API since ${formatTime(since)}: ${how}`]);
  }
  if (brake) {
    const { since, status, next_probe_in: next } = brake;
    const how = `several were refused with status ${status}, and nothing is delivered; single probes are sent${nextProbe(next)}`;
    lines.push(["danger", `All lanes are on the brake since ${formatTime(since)}: ${how}`]);
  }
  return lines;
}

/** The state of a lane on the brake. */
export function brakeLine({ hold, waits_for: stop, brake: { refusals, status, next_probe_in: next } }) {
  const when = hold !== null ? "after its hold" : stop ? `after the ${STOPS[stop]}` : next < 1 ? "now" : `in ${span(next)}`;
  return `${pluralize(refusals, "refusal")} in a row, the last with status ${status}; single probes are sent, the next ${when}`;
}

/** Show the lines in the page's region, and first why data could not be read; unchanged lines are not read out again. */
export function drawStops(found, error = null) {
  const lines = error ? [["danger", `These data are not up to date: ${error}`], ...found] : found;
  redraw(document.getElementById("stops"), lines.map((line) => line[1]), () =>
    lines.map(([kind, line]) => el("p", { class: `lanes-stop lanes-stop-${kind}` }, line)));
}
