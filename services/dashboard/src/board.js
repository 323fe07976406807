"use strict";

// Keeps the page current: a `change` event fetches what changes and alters only what differs, so that scroll position,
// focus and selection stay where the reader left them.
(() => {
  const main = document.getElementById("board");
  const live = document.getElementById("live");
  if (!main || !live || !window.EventSource) return;

  const alike = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.id === other.id;

  const attributes = (now, next) => {
    for (const { name } of [...now.attributes]) {
      if (!next.hasAttribute(name)) now.removeAttribute(name);
    }
    for (const { name, value } of [...next.attributes]) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
  };

  const morph = (now, next) => {
    const wanted = [...next.childNodes];
    wanted.forEach((child, index) => {
      const present = now.childNodes[index];
      if (!present) now.append(child);
      else if (!alike(present, child)) now.replaceChild(child, present);
      else if (present.nodeType !== Node.ELEMENT_NODE) {
        if (present.nodeValue !== child.nodeValue) present.nodeValue = child.nodeValue;
      } else if (!present.isEqualNode(child)) {
        attributes(present, child);
        morph(present, child);
      }
    });
    while (now.childNodes.length > wanted.length) now.lastChild.remove();
  };

  let busy = false;
  let again = false;
  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch("/board", { headers: { accept: "text/html" } });
      if (answer.ok) {
        const next = document.createElement("main");
        next.innerHTML = await answer.text();
        morph(main, next);
      }
    } catch {
      live.textContent = "Not updating: the connection was lost. It will be tried again.";
    } finally {
      busy = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  };

  const source = new EventSource("/live");
  let lost = false;
  source.addEventListener("change", refresh);
  source.addEventListener("open", () => {
    live.hidden = false;
    live.textContent = "Updates as events are recorded";
    if (lost) refresh();
    lost = false;
  });
  source.addEventListener("error", () => {
    lost = true;
    live.hidden = false;
    live.textContent = "Not updating: the connection was lost. It will be tried again.";
  });
})();
