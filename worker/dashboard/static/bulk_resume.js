// Resumes many stopped lanes: choose, preview, then resume each with the hold or brake that was shown.

import { ask, change, el, number, pluralize, request, toast, withErrorToast } from "./live.js";

const CAUSES = [["", "Any"], ["operator", "Only a person"], ["authorization", "Only a refused token"], ["brake", "The brake: not held, and refused by the API"]];
const SHOWN = 20;

const question = {
  title: "Resume lanes",
  text: "Filters all lanes that have a hold of their own, or are on the brake. The next step shows them; nothing is changed yet.",
  confirm: "Preview",
  fields: [
    { name: "held_by", label: "Held by (the whole name; empty: anyone)", maxlength: 500, autocomplete: "off" },
    { name: "cause", label: "Cause", options: CAUSES },
    { name: "reason", label: "Part of the reason", maxlength: 500, autocomplete: "off" },
  ],
};

function list({ lanes }) {
  const more = lanes.length - SHOWN;
  return el("ul", { class: "lanes-scroll-list", tabindex: "0" },
    ...lanes.slice(0, SHOWN).map((lane) => el("li", {}, `${lane.location}: ${lane.text}`)),
    more > 0 ? el("li", {}, `and ${number(more)} more`) : null);
}

function preview({ found, causes, skipped, braked, lanes }) {
  const parts = [braked
    ? "Their brakes end. Pending jobs are sent from now on. If the API still refuses them, the lanes are on the brake again after some refusals."
    : `These holds end: ${causes}. Pending jobs are sent from now on.`];
  if (found > lanes.length) parts.push(`They are the first ${number(lanes.length)} of ${number(found)}.`);
  if (skipped) parts.push(`${pluralize(skipped, "lane")} with another cause as well ${skipped === 1 ? "stays" : "stay"} held.`);
  return parts.join(" ");
}

/** Ask for a filter, show the lanes, ask again, resume them, and report which were stopped again meanwhile. */
export async function resumeHeld(source, url, refresh) {
  const values = await ask(question);
  if (values === null) return;
  await withErrorToast(async () => {
    const found = await request(`${source}?${new URLSearchParams(values)}`);
    if (!found.lanes.length) throw new Error("No stopped lane matches.");
    const resume = `Resume ${pluralize(found.lanes.length, "lane")}`;
    if (await ask({ title: `${resume}?`, text: preview(found), more: list(found), confirm: resume, danger: true }) === null) return;
    const done = await change(url, { lanes: found.lanes.map(({ location, since }) => ({ location, since })) });
    toast(done.message, done.changed ? "danger" : "success");
  });
  refresh();
}
