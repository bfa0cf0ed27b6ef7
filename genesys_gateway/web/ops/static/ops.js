// Keeps the overview up to date: the server sends the sections that changed, and only what differs is exchanged, so
// that focus, scroll, selection and what is folded out stay as they are. The page is whole without this file.
"use strict";

(() => {
  const address = document.body.dataset.stream;
  if (!address || !window.EventSource) return;

  const live = document.getElementById("live");
  const announcements = document.getElementById("announcements");
  const POLL_MS = 5000;
  const SILENT_MS = 20000;
  let source = null;
  let polling = 0;
  let heard = Date.now();

  function say(text, lost) {
    if (live.textContent !== text) live.textContent = text;
    live.classList.toggle("lost", lost);
    live.hidden = !lost;
  }

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

  function exchangeChildren(old, fresh) {
    const named = new Map();
    for (const child of old.children) if (child.id) named.set(child.id, child);
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const known = wanted.id ? named.get(wanted.id) : undefined;
      if (known && known !== at && known.parentNode === old) {
        old.insertBefore(known, at);
        at = known;
      }
      if (at && at.nodeType === wanted.nodeType && at.nodeName === wanted.nodeName && (at.id || "") === (wanted.id || "")) {
        if (at.nodeType === Node.ELEMENT_NODE) exchange(at, wanted);
        else if (at.nodeValue !== wanted.nodeValue) at.nodeValue = wanted.nodeValue;
        at = at.nextSibling;
      } else {
        old.insertBefore(document.importNode(wanted, true), at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function troubles() {
    const found = new Map();
    for (const one of document.querySelectorAll("[data-trouble]")) found.set(one.id, one.dataset.trouble);
    return found;
  }

  function show(sections) {
    const before = troubles();
    for (const [name, html] of Object.entries(sections)) {
      const part = document.getElementById(`part-${name}`);
      if (!part) continue;
      const template = document.createElement("template");
      template.innerHTML = html;
      exchangeChildren(part, template.content);
    }
    announce(before, troubles());
  }

  // Only troubles are read aloud, and only when one begins or ends: figures change every other second.
  function announce(before, after) {
    const lines = [];
    for (const [id, title] of after) if (!before.has(id)) lines.push(`New trouble: ${title}.`);
    for (const [id, title] of before) if (!after.has(id)) lines.push(`Over: ${title}.`);
    if (!lines.length) return;
    announcements.textContent = lines.join(" ");
    document.title = document.title.replace(/^(\(\d+\) )?/, after.size ? `(${after.size}) ` : "");
  }

  function listen() {
    source = new EventSource(address);
    source.addEventListener("look", (event) => {
      heard = Date.now();
      stopPolling();
      say("", false);
      show(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      // A stream that ends is opened again by the browser itself. One that was refused is not: too many watch.
      if (source.readyState === EventSource.CLOSED) startPolling();
    });
  }

  function startPolling() {
    if (!polling) polling = window.setInterval(poll, POLL_MS);
  }

  function stopPolling() {
    window.clearInterval(polling);
    polling = 0;
  }

  async function poll() {
    try {
      const answer = await fetch("/ops/sections", { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.status === 401) window.location.reload(); // the session has ended: the login is shown
      if (!answer.ok) return;
      const sections = await answer.json();
      heard = Date.now();
      say("", false);
      show(sections);
      if (source.readyState === EventSource.CLOSED) {
        source.close();
        listen();
      }
    } catch {
      // The watch below says that nothing is heard.
    }
  }

  window.setInterval(() => {
    if (Date.now() - heard < SILENT_MS) return;
    const time = new Date(heard).toISOString().slice(11, 19);
    say(`No answer from the gateway. This page shows what was known at ${time} UTC.`, true);
    startPolling();
  }, 1000);

  listen();
})();
