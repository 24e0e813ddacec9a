import { poll } from "./live.js";

const page = document.getElementById("throughput");
poll(page.dataset.source, () => {});
