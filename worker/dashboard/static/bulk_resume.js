// Stopped lanes, many at a time: chosen, shown, and only then resumed, each with the hold or brake that was shown.

import { ask, change, el, number, request, toast } from "./live.js";

const CAUSES = [["", "Any"], ["operator", "Only a person"], ["authorization", "Only a refused token"], ["brake", "The brake: not held, and refused by the API"]];
const SHOWN = 20;

const pluralize = (count) => `${number(count)} ${count === 1 ? "lane" : "lanes"}`;

const question = {
  title: "Resume lanes",
  text: "Choose among all lanes that are held on their own, or on the brake. Nothing is changed before you have seen which.",
  confirm: "Preview",
  fields: [
    { name: "held_by", label: "Held by (the whole name; empty: anybody)", maxlength: 500, autocomplete: "off" },
    { name: "cause", label: "Cause", options: CAUSES },
    { name: "reason", label: "Part of the reason", maxlength: 500, autocomplete: "off" },
  ],
};

/** The lanes whose holds would end, the first of them by name. */
function list({ lanes }) {
  const more = lanes.length - SHOWN;
  return el("ul", { class: "lanes-chosen", tabindex: "0" },
    ...lanes.slice(0, SHOWN).map((lane) => el("li", {}, `${lane.location}: ${lane.text}`)),
    more > 0 ? el("li", {}, `and ${number(more)} more`) : null);
}

function preview({ found, causes, skipped, braked, lanes }) {
  const parts = [braked
    ? "Their brakes end. What waited is sent from now on; if the API refuses still, they are on the brake again after some refusals."
    : `These holds end: ${causes}. What waited is sent from now on.`];
  if (found > lanes.length) parts.push(`They are the first ${number(lanes.length)} of ${number(found)}.`);
  if (skipped) parts.push(`${pluralize(skipped)} held for another cause as well ${skipped === 1 ? "is" : "are"} left as ${skipped === 1 ? "it is" : "they are"}.`);
  return parts.join(" ");
}

/** Ask which, show them, ask again, resume them, and tell which were stopped again meanwhile. */
export async function resumeHeld(source, url, refresh) {
  const values = await ask(question);
  if (values === null) return;
  try {
    const found = await request(`${source}?${new URLSearchParams(values)}`);
    if (!found.lanes.length) {
      toast("No lane is stopped so.", "danger");
      return;
    }
    const yes = await ask({
      title: `Resume ${pluralize(found.lanes.length)}?`, text: preview(found), more: list(found), confirm: `Resume ${pluralize(found.lanes.length)}`, danger: true,
    });
    if (yes === null) return;
    const seen = found.lanes.map(({ location, since }) => ({ location, since }));
    const done = await change(url, { lanes: seen });
    toast(done.message, done.changed ? "danger" : "success");
  } catch (error) {
    toast(error.message, "danger");
  }
  refresh();
}
