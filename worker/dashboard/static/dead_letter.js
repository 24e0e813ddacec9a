// The page of one dead letter.
import { exportFile, startBulkRun, waitForRun } from "./bulk_actions.js";
import { toast, withErrorToast } from "./live.js";

const page = document.getElementById("dead-letter");
const selection = { ids: [page.dataset.id] };

for (const button of page.querySelectorAll("[data-move]")) {
  button.addEventListener("click", () => withErrorToast(async () => {
    const verb = button.dataset.move;
    const id = await startBulkRun(page.dataset.runs, verb, selection);
    if (id === null) return;
    const run = await waitForRun(page.dataset.runs, id);
    if (run.done) window.location.assign(verb === "replay" ? page.dataset.job : page.dataset.deadLetters);
    else toast(run.refused_letters.length ? run.refused_letters[0].why : run.waiting || "Nothing was changed", "danger");
  }));
}

page.querySelector("[data-export]")?.addEventListener("click", () => withErrorToast(() => exportFile(selection, 1)));

for (const button of page.querySelectorAll("[data-move], [data-export]")) button.disabled = false; // clicks work from now on
