// Charts over time, drawn by uPlot (vendor/uplot) in Flower's colours, each with a table of its numbers.

import { el, formatTime, number } from "./live.js";

// Each line has its own stroke, for people who cannot tell the colours apart.
const LINES = [
  { name: "delivered", title: "Delivered", colour: "--flower-success", filled: true },
  { name: "retried", title: "Retried", colour: "--flower-warning", dash: [6, 4] },
  { name: "throttled", title: "Throttled", colour: "--flower-active", dash: [2, 3] },
  { name: "dead", title: "Dead", colour: "--flower-danger" },
];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (seconds) => formatTime(seconds).slice(11, 16);

const sum = (values) => values.reduce((total, value) => total + value, 0);

export function rate(value) {
  return number(value, value < 1 ? 2 : 1);
}

function options(width, height) {
  const grid = { stroke: colour("--bs-border-color"), width: 1 };
  const ink = { stroke: colour("--flower-text-muted"), font: "12px system-ui, sans-serif", grid, ticks: grid };
  return {
    width,
    height,
    padding: [12, 26, 0, 0], // the last label of the time axis is centred on its mark
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...ink, values: (_, marks) => marks.map(clock), space: 70 },
      { ...ink, size: 50, values: (_, marks) => marks.map((mark) => number(mark, 1)) },
    ],
    series: [
      { label: "From (UTC)", value: (_, at) => (at ? clock(at) : "–") },
      ...LINES.map((line) => ({
        label: line.title,
        stroke: colour(line.colour),
        width: line.filled ? 1.5 : 2,
        dash: line.dash,
        fill: line.filled ? `color-mix(in srgb, ${colour(line.colour)} 14%, transparent)` : undefined,
        points: { show: false },
        value: (_, found) => (found === null || found === undefined ? "–" : rate(found)),
      })),
    ],
  };
}

/**
 * A chart of rates per second, in the panel called `name`. Each row of its table is the mean of `rowSeconds`.
 * Returns a function that draws `{step, at, <name of a line>: [...]}`.
 */
export function rates(name, rowSeconds) {
  const target = document.getElementById(`${name}-chart`);
  const table = document.querySelector(`#${name}-table tbody`);
  let plot = null;
  let shown = null;

  const columns = () => [shown.at, ...LINES.map((line) => shown[line.name])];
  const size = () => ({ width: Math.max(200, target.clientWidth), height: 220 });

  function build() {
    if (!shown) return;
    if (plot) plot.destroy();
    const { width, height } = size();
    plot = new window.uPlot(options(width, height), columns(), target);
  }

  function describe() {
    const max = Math.max(...shown[LINES[0].name], 0);
    const sums = LINES.map((line) => `${line.title.toLowerCase()} ${number(Math.round(sum(shown[line.name]) * shown.step))}`);
    target.setAttribute("role", "img");
    target.setAttribute("aria-label", `Chart, jobs a second: in all ${sums.join(", ")}; at most ${rate(max)} ${LINES[0].title.toLowerCase()} a second. The table below has the numbers.`);
  }

  function fill() {
    const steps = Math.max(1, Math.round(rowSeconds / shown.step));
    const rows = [];
    for (let end = shown.at.length; end > 0; end -= steps) {
      const start = Math.max(0, end - steps);
      rows.push(el("tr", {}, el("th", { scope: "row" }, el("time", { datetime: formatTime(shown.at[start]) }, clock(shown.at[start]))),
        ...LINES.map((line) => el("td", {}, rate(sum(shown[line.name].slice(start, end)) / (end - start))))));
    }
    table.replaceChildren(...rows);
  }

  new MutationObserver(build).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  new ResizeObserver(() => plot && plot.setSize(size())).observe(target);

  return (found) => {
    const same = shown && shown.at.at(-1) === found.at.at(-1);
    shown = found;
    if (!plot) build();
    else if (!same) plot.setData(columns());
    if (!same) {
      describe();
      fill();
    }
  };
}
