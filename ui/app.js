// What every page does: times in the viewer's zone, live regions, theme, search.
import htmx from "htmx.org";
import "./boards.js";
import { askWell } from "./ask.js";

window.htmx = htmx;
const page = document.documentElement;
const BACKOFF = [1, 2, 4, 8, 15];

// Times: the page holds UTC; people read their own zone.

const absolute = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7], ["week", 5]];

function ago(at) {
  let value = (at - Date.now()) / 1000;
  if (Math.abs(value) < 5) return "just now";
  for (const [unit, size] of STEPS) {
    if (Math.abs(value) < size) return relative.format(Math.round(value), unit);
    value /= size;
  }
  return absolute.format(at).replace(/, \d\d:.*/, "");
}

function showTimes(root = document) {
  root.querySelectorAll("time[datetime]").forEach((element) => {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const text = "ago" in element.dataset ? ago(at) : absolute.format(at).replace(",", "");
    if (element.textContent !== text) element.textContent = text;
    if (!element.title) element.title = `${element.dateTime.replace("T", " ").replace(/(\.\d+)?\+00:00$/, "$1")} UTC`;
  });
}
setInterval(showTimes, 5000);

// Live regions: when something happened, the page is asked for again, and what is
// otherwise in it is put in place. What a person has open or is typing in stays.

const regions = () => [...document.querySelectorAll("[data-live][id]")];
const known = new Map();
const token = document.querySelector("input[name=csrf]")?.value ?? "";
let since = document.body.dataset.since ?? ""; // what is shown has every change up to here
let tag = "";
let asking = false;
let askAgain = false;

// Where what is live is asked for: a page of which only the counts are need not be made again.

function address() {
  const counts = document.getElementById("side-counts");
  return counts && regions().length === 1 ? counts.dataset.asked : location.pathname + location.search;
}

function isBusy(region) {
  const active = document.activeElement;
  const typing = active && region.contains(active) && active.matches("input, select, textarea");
  return typing || region.querySelector("details[open]:not([data-keep])") !== null;
}

function settle(root) {
  htmx.process(root);
  showTimes(root);
  markScrolling();
  drawCharts();
}

async function refresh() {
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  try {
    const headers = tag ? { "X-Live": "1", "If-None-Match": tag } : { "X-Live": "1" };
    const answer = await fetch(address(), { headers, cache: "no-store" });
    if (answer.ok) {
      const isWhole = replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      tag = isWhole ? answer.headers.get("ETag") ?? "" : "";
    } else if (answer.status >= 500) {
      askLater();
    }
    since = answer.headers.get("X-Since") ?? since;
  } catch {
    askLater();
  } finally {
    asking = false;
    if (askAgain) {
      askAgain = false;
      setTimeout(refresh, 100);
    }
  }
}

// While the line is open nobody tells a second time. When it is not, the next line will.

function askLater() {
  setTimeout(() => { if (source?.readyState === EventSource.OPEN) refresh(); }, around(3));
}

const around = (seconds) => 1000 * seconds * (0.75 + Math.random() / 2);

// Puts what is otherwise in place; says if nothing was left as it was for being in use.

function replace(fresh) {
  let isWhole = true;
  for (const region of regions()) {
    const found = fresh.getElementById(region.id);
    if (!found || known.get(region.id) === found.outerHTML) continue;
    if (isBusy(region)) {
      isWhole = false;
      continue;
    }
    known.set(region.id, found.outerHTML);
    const scrolled = [...region.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    const placed = document.importNode(found, true);
    const open = [...region.querySelectorAll("details[open][data-keep]")].map((each) => each.dataset.keep);
    placed.querySelectorAll("input[name=csrf]").forEach((each) => { each.value = token; }); // shared answers have none
    placed.querySelectorAll("details[data-keep]").forEach((each) => { each.open = open.includes(each.dataset.keep); });
    region.replaceWith(placed);
    placed.querySelectorAll(".scroll").forEach((box, place) => box.scrollTo(...(scrolled[place] ?? [0, 0])));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    settle(placed);
  }
  return isWhole;
}

// What scrolls sideways can be reached and scrolled from the keyboard.

function markScrolling() {
  document.querySelectorAll(".scroll").forEach((element) => {
    if (element.scrollWidth > element.clientWidth) {
      element.tabIndex = 0;
      element.setAttribute("role", "group");
      if (!element.hasAttribute("aria-label")) element.setAttribute("aria-label", "Scrolls sideways");
    } else {
      element.removeAttribute("tabindex");
    }
  });
}
addEventListener("resize", markScrolling);

addEventListener("toggle", markScrolling, true);

// Of a drawing that is larger than its frame the part that matters is in sight: what is
// chosen, or what is not well.

function showWanted() {
  document.querySelectorAll(".scroll").forEach((element) => {
    const wanted = element.querySelector("[data-look]")?.getBoundingClientRect();
    if (!wanted) return;
    const frame = element.getBoundingClientRect();
    const [across, down] = [wanted.left - frame.left, wanted.top - frame.top];
    if (across < 0 || wanted.right > frame.right) element.scrollLeft += across - (frame.width - wanted.width) / 2;
    if (down < 0 || wanted.bottom > frame.bottom) element.scrollTop += down - (frame.height - wanted.height) / 2;
  });
}

// The line to the service.

let failures = 0;
let source = null;

function say(state, text) {
  page.dataset.connection = state;
  const line = document.getElementById("connection");
  if (!line) return;
  line.hidden = state === "live";
  line.querySelector("[data-said]").textContent = text;
}

function connect() {
  if (!document.querySelector("[data-live]") || document.hidden) return;
  if (source && source.readyState !== EventSource.CLOSED) return;
  const topics = new Set(regions().flatMap((region) => region.dataset.live.split(" ")));
  source = new EventSource(`/events?${new URLSearchParams({ page: address(), topics: [...topics].join(" "), since })}`);
  source.addEventListener("ready", () => {
    failures = 0;
    say("live", "");
  });
  source.addEventListener("changed", refresh);
  source.addEventListener("error", lost);
}

// A page that nobody sees has no line, and asks nothing. Once it is seen it hears what it missed.

function seenOrNot() {
  if (document.hidden) source?.close();
  else connect();
}

function beginLive() {
  const seconds = Number(document.body.dataset.every);
  if (seconds) { // a page for strangers: the line is not for them
    setInterval(() => { if (!document.hidden) refresh(); }, seconds * 1000);
    return;
  }
  document.addEventListener("visibilitychange", seenOrNot);
  connect();
}

async function lost() {
  source.close();
  const seconds = BACKOFF[Math.min(failures, BACKOFF.length - 1)];
  failures += 1;
  let state = "stopped";
  try {
    const answer = await fetch("/session", { cache: "no-store" });
    state = answer.status === 401 ? "ended" : "busy";
  } catch {
    state = "stopped";
  }
  if (state === "ended") {
    say("ended", "Your session has ended. Open the link that “snowmelt link” prints.");
  } else if (state === "stopped") {
    say("stopped", `The service does not answer: this is how things stood. Start it with “snowmelt up”. Trying again every ${seconds} s.`);
  } else if (failures > 1) {
    say("busy", "The live updates were interrupted. Trying again.");
  }
  setTimeout(connect, around(seconds));
}
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });

// Charts are a script of their own, for the pages that have some.

let charts = null;

function drawCharts() {
  if (!document.querySelector("[data-chart]")) return;
  if (window.snowmeltCharts) {
    window.snowmeltCharts.drawAll();
  } else if (!charts) {
    charts = document.createElement("script");
    charts.src = document.querySelector("meta[name=charts]").content;
    document.head.append(charts);
  }
}

// Theme, search, copying, the menu of small screens.

function toggleTheme() {
  const dark = getComputedStyle(page).colorScheme === "dark" ||
    (page.dataset.theme === undefined && matchMedia("(prefers-color-scheme: dark)").matches);
  page.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", page.dataset.theme);
  } catch {
    // it holds for this page
  }
  drawCharts();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);

addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const search = document.getElementById("search");
    search?.focus();
    search?.select();
  } else if (event.key === "Escape" && typing) {
    event.target.blur();
  }
});

addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy], [data-theme-toggle], [data-menu]");
  if (!button) return;
  if ("themeToggle" in button.dataset) toggleTheme();
  if ("menu" in button.dataset) {
    const open = page.toggleAttribute("data-menu-open");
    button.setAttribute("aria-expanded", String(open));
  }
  if ("copy" in button.dataset) {
    await navigator.clipboard?.writeText(button.dataset.copy);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 1500);
  }
});

// A filter that is chosen is asked for at once.
addEventListener("change", (event) => {
  if (event.target.matches?.("form[data-filters] select") && event.target.value !== "custom") event.target.form.requestSubmit();
});

document.addEventListener("htmx:afterSwap", (event) => showTimes(event.detail.target));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.requestConfig?.verb === "post") refresh();
});
// An answer that is an error has something to say, too.
document.addEventListener("htmx:beforeSwap", (event) => {
  const status = event.detail.xhr.status;
  if (status >= 400 && status < 600 && event.detail.xhr.responseText) event.detail.shouldSwap = true;
});

showTimes();
markScrolling();
showWanted();
drawCharts();
askWell();
beginLive();
page.dataset.ready = "";
