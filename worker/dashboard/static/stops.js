// What stops all lanes, as a banner, with the button that ends a hold of everything.

import { moment, span } from "./live.js";

/** The lines that tell of it: [kind, text]. */
export function stopLines(gate) {
  const lines = [];
  if (gate.hold) lines.push(["danger", `Everything is held since ${moment(gate.hold.at)} by ${gate.hold.by}: ${gate.hold.reason}`]);
  if (gate.outage) {
    const { since, room, next_probe_in: next } = gate.outage;
    const how = room === 1 ? `all lanes pause, single probes go out${next ? `, the next in ${span(next)}` : ""}` : `it ends, ${room} requests at a time`;
    lines.push(["danger", `Outage of the API since ${moment(since)}: ${how}`]);
  }
  return lines;
}
