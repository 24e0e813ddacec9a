// Shows the body of a job when asked for: a button with data-reveal (the address) and aria-controls (the id of the list).
import { change, toast } from "./live.js";

for (const button of document.querySelectorAll("button[data-reveal]")) {
  button.addEventListener("click", async () => {
    const list = document.getElementById(button.getAttribute("aria-controls"));
    button.disabled = true;
    try {
      const { fields } = await change(button.dataset.reveal);
      for (const field of fields) {
        for (const row of list.querySelectorAll("[data-field]")) {
          if (row.dataset.field !== field.name) continue;
          row.querySelector("[data-value]").textContent = field.value;
          const before = row.querySelector("[data-before]");
          if (before && field.before !== null) before.textContent = field.before;
        }
      }
      list.dataset.revealed = "";
      button.hidden = true;
      list.tabIndex = -1;
      list.focus({ preventScroll: true });
    } catch (error) {
      button.disabled = false;
      toast(error.message, "danger");
    }
  });
}
