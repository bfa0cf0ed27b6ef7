// Keeps the overview up to date: the server sends the sections that changed, and only what differs is exchanged, so
// that focus, scroll, selection and what is folded out stay as they are. The page is whole without this file.
"use strict";

(() => {
  const address = document.body.dataset.stream;
  if (!address || !window.EventSource) return;

  const live = document.getElementById("live");
  const announcements = document.getElementById("announcements");
  const TICK_MS = 1000;
  // A look comes every two seconds, or every four while the database hangs.
  const ASK_MS = 5000;
  const ANSWER_MS = 4000;
  const SILENT_MS = 10000;
  let source = null;
  let heard = Date.now(); // when the latest look came
  let ticked = Date.now();
  let asked = 0;
  let asking = false;
  let unanswered = false; // whether we asked in vain since the latest look
  let lost = false;

  // Make `old` like `fresh`, with the same elements where they are of the same kind.
  function exchange(old, fresh) {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    exchangeChildren(old, fresh);
  }

  // A child with an id becomes the one with the same id. It is moved only if the order of those has changed: an element
  // that is moved loses the focus.
  function exchangeChildren(old, fresh) {
    const named = new Map();
    const kinds = new Map([...fresh.children].map(({ id, nodeName }) => [id, nodeName]));
    for (const child of [...old.children].filter(({ id }) => id)) {
      if (kinds.get(child.id) === child.nodeName) named.set(child.id, child);
      else child.remove();
    }
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const same = wanted.id ? named.get(wanted.id) : kindred(at, wanted);
      if (!same) {
        old.insertBefore(document.importNode(wanted, true), at);
        continue;
      }
      while (at && at !== same && !at.id) at = without(at);
      if (at !== same) old.insertBefore(same, at);
      else at = at.nextSibling;
      if (same.nodeType === Node.ELEMENT_NODE) exchange(same, wanted);
      else if (same.nodeValue !== wanted.nodeValue) same.nodeValue = wanted.nodeValue;
    }
    while (at) at = without(at);
  }

  // What becomes `wanted`, which has no id: the first of its kind from `at` on, unless something with an id is before it.
  // For a text that is `at` or nothing: to reach a later one, the elements before it would have to go.
  function kindred(at, wanted) {
    let one = at;
    while (one && !one.id && one.nodeName !== wanted.nodeName) {
      one = wanted.nodeType === Node.ELEMENT_NODE ? one.nextSibling : null;
    }
    return one && !one.id ? one : null;
  }

  function without(at) {
    const next = at.nextSibling;
    at.remove();
    return next;
  }

  function troubles() {
    const found = new Map();
    for (const one of document.querySelectorAll("[data-trouble]")) found.set(one.id, one.dataset.trouble);
    return found;
  }

  function show(sections) {
    const before = troubles();
    const again = lost;
    inPlace(() => {
      if (lost) found();
      for (const [name, html] of Object.entries(sections)) {
        const part = document.getElementById(`part-${name}`);
        if (!part) continue;
        const template = document.createElement("template");
        template.innerHTML = html;
        exchangeChildren(part, template.content);
      }
    });
    announce(before, troubles(), again);
  }

  // What is read stays where it is when something above it grows or shrinks, unless the page is at its top.
  function inPlace(change) {
    const seen = [];
    if (window.scrollY > 0) {
      for (const one of document.querySelectorAll(".trouble, .tiles > div, .head h2, .chart, .part tr")) {
        const { top, height } = one.getBoundingClientRect();
        if (height && top >= 0 && top < window.innerHeight) seen.push({ one, top, trouble: one.matches(".trouble") });
      }
    }
    const below = seen.filter(({ top, trouble }) => !trouble && top < window.innerHeight / 2);
    const among = seen.filter(({ trouble }) => trouble);
    change();
    const kept = [...below, ...among, ...seen].find(({ one }) => one.isConnected);
    if (kept) window.scrollBy({ top: kept.one.getBoundingClientRect().top - kept.top, behavior: "instant" });
  }

  // Only troubles are read aloud, and only when one begins or ends: figures change every other second.
  function announce(before, after, again) {
    const lines = again ? ["The gateway answers again."] : [];
    for (const [id, title] of after) if (!before.has(id)) lines.push(`New trouble: ${title}.`);
    for (const [id, title] of before) if (!after.has(id)) lines.push(`Over: ${title}.`);
    if (!lines.length) return;
    announcements.textContent = lines.join(" ");
    retitle();
  }

  function retitle() {
    const count = troubles().size;
    const mark = lost ? "(no answer) " : count ? `(${count}) ` : "";
    document.title = mark + document.title.replace(/^\([^)]*\) /, "");
  }

  // Nothing that was true once may look as if it were true now. The next look writes over what stands here.
  function lose() {
    const promise = document.getElementById("part-promise");
    const time = promise.querySelector(".verdict time").textContent;
    lost = true;
    inPlace(() => {
      document.body.classList.add("lost");
      live.textContent = `No answer from the gateway. This page shows what was known at ${time}.`;
      promise.querySelector("h2").textContent = `Nothing is known since ${time}.`;
      promise.querySelector(".balance").textContent = "All below is as it was then.";
      promise.querySelector(".verdict").textContent = "";
      promise.querySelector(".icon path").setAttribute("d", "M7.4 7.2a2.7 2.7 0 1 1 4 2.3q-1.4.8-1.4 2.3M10 15v.6");
    });
    retitle();
  }

  function found() {
    lost = false;
    document.body.classList.remove("lost");
    live.textContent = "";
  }

  function look(sections) {
    heard = Date.now();
    unanswered = false;
    show(sections);
  }

  function listen() {
    // A stream that ends is opened again by the browser itself. One that was refused is not: too many watch.
    source = new EventSource(address);
    source.addEventListener("look", (event) => look(JSON.parse(event.data)));
  }

  // Ask for what the stream does not bring.
  async function ask() {
    asked = Date.now();
    asking = true;
    try {
      const answer = await fetch("/ops/sections", {
        headers: { Accept: "application/json" },
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (answer.status === 401) window.location.reload(); // the session has ended: the login is shown
      if (!answer.ok) throw new Error(answer.statusText);
      look(await answer.json());
      if (source.readyState === EventSource.CLOSED) listen();
    } catch {
      unanswered = true;
      judge();
    } finally {
      asking = false;
    }
  }

  function judge() {
    if (!lost && unanswered && Date.now() - heard >= SILENT_MS) lose();
  }

  window.setInterval(() => {
    const now = Date.now();
    // Timers of a hidden page, and a computer that was closed, sleep: what was heard, or not, before proves nothing.
    if (now - ticked > 3 * TICK_MS) unanswered = false;
    ticked = now;
    judge();
    if (!asking && now - heard >= ASK_MS && now - asked >= ASK_MS) ask();
  }, TICK_MS);

  listen();
})();
