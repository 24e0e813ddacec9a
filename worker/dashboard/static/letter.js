// The page of one dead letter.
import { attempt, ended, move, save } from "./letter_moves.js";
import { toast } from "./live.js";

const page = document.getElementById("letter");
const selection = { ids: [page.dataset.id] };

for (const button of page.querySelectorAll("[data-move], [data-export]")) button.disabled = false; // a click is heard now

for (const button of page.querySelectorAll("[data-move]")) {
  button.addEventListener("click", () => attempt(async () => {
    const verb = button.dataset.move;
    const id = await move(page.dataset.runs, verb, selection);
    if (id === null) return;
    const run = await ended(page.dataset.runs, id);
    if (run.done) window.location.assign(verb === "replay" ? page.dataset.job : page.dataset.letters);
    else toast(run.told.length ? run.told[0].why : run.waiting || "It was not moved", "danger");
  }));
}

page.querySelector("[data-export]")?.addEventListener("click", () => attempt(() => save(selection, 1)));
