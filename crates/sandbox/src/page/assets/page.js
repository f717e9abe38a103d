// Makes the page live: requests appear as they come, views that are out of date are fetched again, values are copied.
// Everything works without it, except "live" and "copy".
"use strict";

const list = document.getElementById("live");
const pulse = document.getElementById("pulse");

/** Server-rendered and escaped markup of one element. */
function element(markup) {
  return new DOMParser().parseFromString(markup, "text/html").body.firstElementChild;
}

function showRow(markup) {
  const row = element(markup);
  const only = list.dataset.only;
  if (!row || (only && row.dataset.service !== only)) return;
  const old = document.getElementById(row.id);
  if (old) {
    // One that is being read stays open, and is read again.
    const details = old.querySelector("details");
    const focused = old.contains(document.activeElement);
    old.replaceWith(row);
    if (details.open) row.querySelector("details").open = true;
    if (focused) row.querySelector("summary").focus();
  } else {
    row.classList.add("new");
    list.prepend(row);
    while (list.children.length > Number(list.dataset.shown)) list.lastElementChild.remove();
  }
  document.getElementById("quiet").hidden = true;
}

async function openParts(details) {
  const place = details.querySelector(".open");
  if (!details.open || !place) return;
  const answer = await fetch(details.dataset.parts);
  if (answer.ok) place.replaceChildren(element(await answer.text()));
}

/** The ids of what is open in a region, so that it stays so. */
function opened(region) {
  return [...region.querySelectorAll("details[open][id]")].map((details) => details.id);
}

let refreshing = false;
let stale = false;

async function refresh(services) {
  const regions = [...document.querySelectorAll("[data-live]")].filter((region) => {
    const wanted = region.dataset.live.split(" ").filter(Boolean);
    return services.includes("*") || !wanted.length || wanted.some((name) => services.includes(name));
  });
  if (!regions.length) return;
  if (refreshing) { stale = true; return; }
  refreshing = true;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of regions) {
      const other = fresh.getElementById(region.id);
      // What somebody is filling in is left alone.
      const busy = region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
      if (!other || busy || other.innerHTML === region.innerHTML) continue;
      const open = opened(region);
      const focus = region.contains(document.activeElement) ? document.activeElement.id : "";
      region.replaceChildren(...other.childNodes);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      if (focus) document.getElementById(focus)?.focus();
    }
  } finally {
    refreshing = false;
    if (stale) { stale = false; refresh(["*"]); }
  }
}

function listen() {
  const events = new EventSource(list ? `/live?since=${list.dataset.since}` : "/live");
  events.addEventListener("open", () => {
    pulse.hidden = false;
    pulse.classList.remove("lost");
    pulse.textContent = "live";
    // What happened between the page and this connection.
    refresh(["*"]);
  });
  events.addEventListener("error", () => { pulse.classList.add("lost"); pulse.textContent = "not connected"; });
  events.addEventListener("request", (event) => { if (list) showRow(event.data); });
  events.addEventListener("changed", (event) => refresh(event.data.split(" ")));
  addEventListener("pagehide", () => events.close());
}

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("details[data-parts]")) openParts(event.target);
}, true);

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
});

for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
for (const select of document.querySelectorAll("form.filter select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
  select.form.querySelector("button").hidden = true;
}
listen();
