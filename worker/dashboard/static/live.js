// Shared by all pages: live data, dialogs before changes, notices, formatting.

const EVERY_MS = 2000;
const TIMEOUT_MS = 10000;
const STALE_SECONDS = 10;
const UTC_TIME = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)/;

/** Make an element: el("td", {class: "number"}, 12, el("b", {}, "x")). Text is text, never HTML, except its times. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  const shown = children.filter((child) => child !== null && child !== undefined && child !== false);
  made.append(...shown.flatMap((child) => (typeof child === "string" && tag !== "time" ? markTimes(child) : child)));
  return made;
}

/** Return a text in pieces: each time in UTC is a `time` element, which shows the local time on hover. */
function markTimes(text) {
  return text.split(UTC_TIME).map((piece, at) => (at % 2 ? el("time", { datetime: piece }, piece) : piece));
}

// Also for the times in the pages of the server.
document.addEventListener("mouseover", ({ target }) => {
  const time = target.closest?.("time[datetime]");
  if (time) time.title = `${new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "long" })}, local time`;
});

/** Set the text of a node or an id, if it differs: an unchanged node does not flicker and is not read out again. */
export function write(target, text) {
  const node = typeof target === "string" ? document.getElementById(target) : target;
  const shown = String(text);
  if (node && node.textContent !== shown) node.replaceChildren(...markTimes(shown));
}

/** Replace the children of a node if `values` differ from those of the last call. Returns whether they did. */
export function redraw(node, values, children) {
  const shown = JSON.stringify(values);
  if (node.dataset.shown === shown) return false;
  node.dataset.shown = shown;
  node.replaceChildren(...children().filter(Boolean));
  return true;
}

/** Set or, if empty, delete parameters of a page's query, and show the query in the address bar. */
export function updateAddress(query, changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null) query.delete(name);
    else query.set(name, value);
  }
  window.history.replaceState(null, "", query.size ? `?${query}` : window.location.pathname);
}

export function number(value, digits = 0) {
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

export function pluralize(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A duration in short words: 0.35 -> "350 ms", 75 -> "1 min 15 s". */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return parts(whole, 60, "min", "s");
  if (whole < 86400) return parts(Math.round(whole / 60), 60, "h", "min");
  return parts(Math.round(whole / 3600), 24, "d", "h");
}

function parts(value, size, large, small) {
  const rest = value % size;
  return `${number(Math.floor(value / size))} ${large}${rest ? ` ${rest} ${small}` : ""}`;
}

/** A time (seconds since the epoch) in UTC, as in the commands. */
export function formatTime(seconds) {
  const at = new Date(seconds * 1000);
  return Number.isNaN(at.getTime()) ? "–" : `${at.toISOString().slice(0, 19)}Z`;
}

class Failure extends Error {}

/** Fetch JSON once. Throws a Failure that says what went wrong. */
export async function request(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  } catch {
    throw new Failure("The dashboard does not answer");
  }
  const found = await answer.json().catch(() => null);
  if (answer.ok && found !== null) return found;
  if (answer.status === 503) throw new Failure("Redis does not answer");
  if (answer.status === 401) throw new Failure("Logged out: load the page again");
  throw new Failure(found?.error || `The dashboard answered ${answer.status}`);
}

/**
 * Fetch data every two seconds while the tab is visible, and draw them. The page's live status shows whether they are
 * current: *Live* only if they are at most ten seconds old and could be read, else the time of the data. Data from a
 * cache have their `age` in seconds, and as `error` why they could not be read again.
 * `source` is a URL, or a function that returns one. Returns `refresh()`, which fetches at once.
 */
export function poll(source, draw) {
  let timer = null;
  let readAt = null; // when the data were read, in milliseconds
  let failure = null;
  let latest = 0;

  function showStatus() {
    if (readAt === null && failure === null) return;
    const old = readAt !== null && Date.now() - readAt > STALE_SECONDS * 1000;
    const live = failure === null && !old;
    write("live-text", live ? "Live" : failure ?? "Not up to date");
    write("live-ago", live || readAt === null ? "" : `data from ${formatTime(readAt / 1000)}`);
    document.body.classList.toggle("lanes-stale", !live);
    const dot = document.getElementById("live-dot");
    if (dot) dot.className = `status-dot ${live ? "status-dot-live" : "status-dot-error"}`;
  }

  async function refresh() {
    const mine = ++latest;
    clearTimeout(timer);
    try {
      const found = await request(typeof source === "function" ? source() : source);
      if (mine !== latest) return; // A newer request is on its way, with other filters.
      draw(found);
      readAt = Date.now() - (found.age ?? 0) * 1000;
      failure = found.error ? "Not up to date" : null;
    } catch (error) {
      if (mine !== latest) return;
      if (!(error instanceof Failure)) throw error;
      failure = error.message;
    } finally {
      if (mine === latest) {
        showStatus();
        if (!document.hidden) timer = setTimeout(refresh, EVERY_MS);
      }
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else refresh();
  });
  setInterval(showStatus, 1000);
  refresh();
  return refresh;
}

/** POST values as JSON. Throws a Failure that says why the change was refused. */
export async function change(url, values = {}) {
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("_xsrf="));
  return request(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-XSRFToken": cookie ? decodeURIComponent(cookie.slice("_xsrf=".length)) : "",
    },
    body: JSON.stringify(values),
  });
}

/**
 * Ask before a change, in a modal dialog. Resolves to the values of its fields, or null when it was cancelled.
 *
 * fields: [{name, label, type, value, required, min, max, help}]; with options, [[value, text]], a field is a list.
 * more: a node that is shown below the text.
 */
export function ask({ title, text = "", confirm = "Go on", danger = false, fields = [], more = null }) {
  return new Promise((resolve) => {
    const cancel = el("button", { type: "button", class: "btn btn-outline-secondary" }, "Cancel");
    const inputs = fields.map(({ label, help, options, ...field }) => {
      const id = `ask-${field.name}`;
      const own = { ...field, id, "aria-describedby": help ? `${id}-help` : null };
      const input = options
        ? el("select", { class: "form-select", ...own }, ...options.map(([value, shown]) => el("option", { value }, shown)))
        : el("input", { type: "text", class: "form-control", ...own });
      return el("div", { class: "mt-3" }, el("label", { for: id, class: "form-label" }, label), input,
        help ? el("div", { id: `${id}-help`, class: "form-text" }, help) : null);
    });
    const form = el("form", { method: "dialog" },
      el("h2", { id: "ask-title", class: "fs-5 fw-bold" }, title),
      text ? el("p", { id: "ask-text" }, text) : null, more, ...inputs,
      el("div", { class: "d-flex gap-3 justify-content-end mt-4" }, cancel,
        el("button", { type: "submit", class: `btn ${danger ? "btn-danger" : "btn-primary"}` }, confirm)));
    const dialog = el("dialog", { class: "lanes-ask", "aria-labelledby": "ask-title", "aria-describedby": text ? "ask-text" : null }, form);
    let values = null;
    form.addEventListener("submit", () => {
      values = Object.fromEntries(new FormData(form));
    });
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(values);
    });
    document.body.append(dialog);
    dialog.showModal();
    // A dangerous change needs more than one keystroke.
    (inputs.length ? dialog.querySelector("input") : danger ? cancel : dialog.querySelector("[type=submit]")).focus();
  });
}

/** Show a notice; `kind` is success or danger. */
export function toast(text, kind = "success") {
  const bad = kind === "danger";
  const close = el("button", { type: "button", class: "btn-close btn-close-white me-2 m-auto", "aria-label": "Close", "data-bs-dismiss": "toast" });
  const made = el("div", { class: `toast align-items-center text-bg-${kind} border-0`, role: bad ? "alert" : "status", "aria-atomic": "true" },
    el("div", { class: "d-flex" }, el("div", { class: "toast-body" }, text), close));
  document.getElementById("toast-container").append(made);
  made.addEventListener("hidden.bs.toast", () => made.remove());
  window.bootstrap.Toast.getOrCreateInstance(made, { delay: bad ? 10000 : 5000 }).show();
}

/** Ask, send the change, show its answer, refresh: what a button does. `question` as for `ask`. */
export async function act(question, url, { values = {}, refresh }) {
  const given = await ask(question);
  if (given === null) return;
  const done = await withErrorToast(() => change(url, { ...values, ...given }));
  if (done) toast(done.message);
  refresh();
}

/** Do it; show an error as a notice and return null. */
export async function withErrorToast(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message, "danger");
    return null;
  }
}
