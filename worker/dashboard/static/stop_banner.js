// What stops lanes, in lines at the head of a page.

import { el, formatTime, number, span } from "./live.js";

/** The lines that tell of it: [kind, text]. */
export function stopLines(global_state) {
  const lines = [];
  if (global_state.hold) lines.push(["danger", `Everything is held since ${formatTime(global_state.hold.at)} by ${global_state.hold.by}: ${global_state.hold.reason}`]);
  if (global_state.outage) {
    const { since, room, next_probe_in: next } = global_state.outage;
    const how = room === 1 ? `all lanes pause, single probes go out${next ? `, the next in ${span(next)}` : ""}` : `it ends, ${room} requests at a time`;
    lines.push(["danger", `Outage of the API since ${formatTime(since)}: ${how}`]);
  }
  if (global_state.brake) {
    const { since, status, next_probe_in: next } = global_state.brake;
    const how = `several were refused with status ${status}, and nothing is delivered; single probes go out${next ? `, the next in ${span(next)}` : ""}`;
    lines.push(["danger", `All lanes are on the brake since ${formatTime(since)}: ${how}`]);
  }
  return lines;
}

/** What a lane on the brake says of itself. */
export function brakeLine({ refusals, status, next_probe_in: next }) {
  const many = `${number(refusals)} refusal${refusals === 1 ? "" : "s"} in a row, the last with status ${status}`;
  return `${many}; single probes go out, the next ${next < 1 ? "now" : `in ${span(next)}`}`;
}

/** Show lines in the page's region for them; what stands there already is not read out again. */
export function drawStops(lines) {
  const region = document.getElementById("stops");
  const text = lines.map((line) => line[1]).join("\n");
  if (region.dataset.shown === text) return;
  region.dataset.shown = text;
  region.replaceChildren(...lines.map(([kind, line]) => el("p", { class: `lanes-stop lanes-stop-${kind}` }, line)));
}
