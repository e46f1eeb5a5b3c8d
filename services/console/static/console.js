"use strict";

// Times: written in the reader's zone; the title keeps UTC.
const timeFormat = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});

function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    element.textContent = timeFormat.format(new Date(element.dateTime));
  }
}

// Copying: the text of the element that the button names.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
});

// Progress: the server sends the part of the page that shows it, whenever it has changed.
function watch(place, tries) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/live/${place.dataset.live}`);
  socket.addEventListener("open", () => { tries = 0; });
  socket.addEventListener("message", (event) => {
    const focused = place.contains(document.activeElement);
    const before = scanShown(place);
    place.innerHTML = event.data;
    if (scanShown(place) !== before && !place.querySelector(".mark.running")) {
      window.htmx.ajax("GET", location.pathname, { target: "#facts", select: "#facts", swap: "outerHTML" });
    }
    localTimes(place);
    window.htmx.process(place);
    if (focused) place.querySelector("button, a")?.focus();
  });
  socket.addEventListener("close", (event) => {
    if (event.code === 1001 || event.code === 4403) return;
    setTimeout(() => watch(place, tries + 1), Math.min(30000, 500 * 2 ** tries));
  });
}

// Which scan is shown, and how it stands: when that changes, so has what the page says of the registry.
function scanShown(place) {
  return [...place.querySelectorAll(".mark, p a")].map((part) => part.textContent.trim()).join(" ");
}

// What was asked for and did not come is told at the foot of the page.
function failed(event) {
  const place = document.getElementById("failed");
  if (!place) return;
  const answer = event.detail.xhr;
  let told = "Tallyman does not answer. Check that it runs.";
  try { told = JSON.parse(answer.responseText).detail || told; } catch { /* no problem details: the sentence above */ }
  place.textContent = told;
}

window.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  for (const place of document.querySelectorAll("[data-live]")) watch(place, 0);
  document.body.addEventListener("htmx:load", (event) => localTimes(event.detail.elt));
  document.body.addEventListener("htmx:responseError", failed);
  document.body.addEventListener("htmx:sendError", failed);
  document.body.addEventListener("htmx:afterSettle", () => {
    const wrong = document.querySelector("form.connection [aria-invalid='true']");
    if (wrong && !document.activeElement?.closest(".test")) wrong.focus();
  });
});
