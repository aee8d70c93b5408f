// Keeps the list of calls current: the newest first, with a player for what was heard.
"use strict";

{
  const section = document.getElementById("calls-section");
  const list = document.getElementById("calls");
  let drawing = false;
  let again = false;

  function item(call) {
    const made = document.createElement("li");
    made.dataset.call = call.id;
    const part = (tag, className, text) => {
      const element = document.createElement(tag);
      if (className) element.className = className;
      element.textContent = text;
      made.append(element, " ");
      return element;
    };
    part("span", "phone-number", spaced(call.phone));
    part("span", "peer", `from ${spaced(call.from)}`);
    if (call.behaviour !== call.state) part("span", "behaviour", call.behaviour);
    part("time", "", clockTime(call.began_at)).dateTime = call.began_at;
    part("span", "status", call.heard_s ? `${call.state}, ${call.heard_s.toFixed(1)} s heard` : call.state);
    if (call.heard) {
      const player = document.createElement("audio");
      Object.assign(player, { controls: true, preload: "none", src: call.heard });
      player.setAttribute("aria-label", `What ${call.phone} heard`);
      made.append(player);
    }
    made.drawn = JSON.stringify(call);
    return made;
  }

  async function draw() {
    const calls = await ask("/simulator/calls");
    const known = new Map([...list.children].map((each) => [each.dataset.call, each]));
    // What has not changed stays: a player that plays goes on.
    list.replaceChildren(
      ...calls.map((call) => {
        const old = known.get(String(call.id));
        return old && old.drawn === JSON.stringify(call) ? old : item(call);
      }),
    );
    section.hidden = !calls.length;
  }

  async function refreshCalls() {
    if (drawing) {
      again = true;
      return;
    }
    drawing = true;
    do {
      again = false;
      try {
        await draw();
      } catch {
        break; // phones.js says that the page is not live
      }
    } while (again);
    drawing = false;
  }

  events.addEventListener("hello", refreshCalls);
  events.addEventListener("phones", refreshCalls);
}
