// Avoids reloading the page: buttons are sent in the background, the live part is fetched every second.
"use strict";

const live = document.getElementById("live");
const said = document.getElementById("said");
let shown = live.innerHTML;

async function refresh() {
  const reply = await fetch("/console/live", { cache: "no-store" });
  if (!reply.ok) throw new Error(`the simulator answered ${reply.status}`);
  const html = await reply.text();
  if (html === shown) return;
  shown = html;
  // Keyboard users must not lose their place when the table changes.
  const key = document.activeElement?.dataset?.key;
  const scrolled = [...live.querySelectorAll(".wide")].map((table) => table.scrollLeft);
  live.innerHTML = html;
  live.querySelectorAll(".wide").forEach((table, i) => { table.scrollLeft = scrolled[i] ?? 0; });
  if (key) (live.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? document.getElementById("calls")).focus();
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    said.textContent = `No connection to the simulator (${error.message}).`;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (new URL(form.action).pathname !== "/console/do") return;
  event.preventDefault();
  attempt(async () => {
    const reply = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    said.textContent = new URL(reply.url).searchParams.get("said") ?? "";
    await refresh();
  });
});

setInterval(() => { if (!document.hidden) attempt(refresh); }, 1000);
