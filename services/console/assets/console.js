// Keeps an open page fresh. Every page reads the same without it.
"use strict";
(() => {
  const root = document.querySelector("[data-live]");
  if (!root || !window.EventSource) return;

  const state = document.getElementById("live-state");
  const events = document.getElementById("events");
  const numbers = document.getElementById("numbers");
  const lead = root.dataset.liveLead;
  const say = (text, kind) => {
    if (state.textContent === text) return;
    state.textContent = text;
    state.className = kind;
  };

  const source = new EventSource(root.dataset.live);
  source.onopen = () => say("Live", "on");
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) {
      say("Live updates have ended. Reload the page.", "off");
    } else {
      say("Connecting again…", "off");
    }
  };
  source.addEventListener("stop", (e) => {
    source.close();
    say(e.data, "off");
  });

  source.addEventListener("entry", (e) => {
    if (lead) {
      // The page is one decision's whole picture: it is read anew, when its
      // reader wants, rather than changed under their eyes.
      say("Something new happened to this lead. ", "new");
      const again = document.createElement("a");
      again.href = "";
      again.textContent = "Show it";
      state.append(again);
      source.close();
      return;
    }
    const seen = events.querySelector(`[data-sequence="${e.lastEventId}"]`);
    if (seen) return;
    events.insertAdjacentHTML("afterbegin", e.data);
    const first = events.firstElementChild;
    if (first) first.classList.add("fresh");
    while (events.children.length > Number(events.dataset.most)) events.lastElementChild.remove();
    const none = document.getElementById("no-events");
    if (none) none.remove();
  });

  source.addEventListener("numbers", (e) => {
    // A reader who is inside the figures with the keyboard keeps their place.
    const at = document.activeElement;
    if (numbers && numbers.contains(at) && at !== document.body) return;
    if (numbers) numbers.innerHTML = e.data;
  });

  addEventListener("pagehide", () => source.close());
})();
