// Keeps the page of phones current: listens for "something changed", fetches, redraws what changed.
// Texts are anybody's: they are only ever set as textContent.
"use strict";

const main = document.getElementById("phones");
const live = document.getElementById("live");
const notice = document.getElementById("notice");
const opened = new Map(); // phones opened by hand -> their card, shown even without news
const REFRESH_MS = 300;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// As the server writes it: a French number with spaces that do not break, every other as it is.
function spaced(phone) {
  return phone.replace(/^\+33([1-9])(\d\d)(\d\d)(\d\d)(\d\d)$/, "+33\u00a0$1\u00a0$2\u00a0$3\u00a0$4\u00a0$5");
}

function clockTime(iso) {
  const at = new Date(iso);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString()} ${time}`;
}

function messageItem(message) {
  const item = element("li", message.direction);
  item.append(element("div", "bubble", message.text));
  const meta = element("div", "meta");
  meta.append(element("span", "peer", message.direction === "received" ? message.from : `to ${message.to}`));
  const time = element("time", "", clockTime(message.at));
  time.dateTime = message.at;
  meta.append(time);
  if (message.parts > 1) {
    const some = message.parts_received < message.parts ? `${message.parts_received} of ` : "";
    meta.append(element("span", "parts", `${some}${message.parts} parts`));
  }
  meta.append(element("span", `status ${message.status}`, message.status));
  item.append(meta);
  return item;
}

function newCard(phone, behaviour) {
  const card = element("section", "phone");
  card.dataset.phone = phone;
  const header = element("header");
  header.append(element("h2", "", spaced(phone)), element("span", "behaviour", behaviour));
  const screen = element("ol", "screen");
  screen.tabIndex = 0;
  screen.setAttribute("aria-label", `Messages on ${phone}`);
  const form = element("form", "composer");
  const input = element("input");
  Object.assign(input, { name: "text", autocomplete: "off", placeholder: "Reply", maxLength: 1530, required: true });
  input.setAttribute("aria-label", `Reply from ${phone}`);
  const send = element("button", "", "Send");
  send.setAttribute("aria-label", "Send the reply");
  form.append(input, send);
  const error = element("p", "error");
  error.setAttribute("role", "alert");
  error.hidden = true;
  card.append(header, screen, form, error);
  return card;
}

function fill(card, messages) {
  const drawn = JSON.stringify(messages);
  if (card.drawn === drawn) return;
  card.drawn = drawn;
  const screen = card.querySelector(".screen");
  const atEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 40;
  screen.replaceChildren(...messages.map(messageItem));
  if (!messages.length) screen.append(element("li", "nothing", "No message yet"));
  if (atEnd) screen.scrollTop = screen.scrollHeight;
}

async function ask(path, body) {
  const options = body
    ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
    : {};
  const answer = await fetch(path, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.message || answer.statusText);
  return content;
}

async function draw() {
  const phones = await ask("/simulator/phones");
  const shown = new Set(phones.map((each) => each.phone));
  for (const phone of opened.keys()) {
    if (shown.has(phone)) continue;
    const messages = await ask(`/simulator/phones/${encodeURIComponent(phone)}/messages?limit=30`);
    phones.unshift({ phone, behaviour: "opened by hand", messages });
  }
  const cards = new Map([...main.children].map((card) => [card.dataset.phone, card]));
  let before = main.firstElementChild;
  for (const { phone, behaviour, messages } of phones) {
    const card = cards.get(phone) || newCard(phone, behaviour);
    cards.delete(phone);
    fill(card, messages);
    // Moving a card takes the focus from its input: the one that is typed in stays where it is.
    if (card === before) before = before.nextElementSibling;
    else if (!card.contains(document.activeElement) || !card.isConnected) main.insertBefore(card, before);
  }
  for (const card of cards.values()) if (!card.contains(document.activeElement)) card.remove();
  document.getElementById("empty").hidden = main.children.length > 0;
}

let drawing = false;
let again = false;
async function refresh() {
  if (drawing) {
    again = true;
    return;
  }
  drawing = true;
  try {
    await draw();
  } catch {
    live.textContent = "not live";
    live.className = "live";
  }
  setTimeout(() => {
    drawing = false;
    if (again) {
      again = false;
      refresh();
    }
  }, REFRESH_MS);
}

main.addEventListener("submit", async (event) => {
  event.preventDefault();
  const card = event.target.closest(".phone");
  const input = card.querySelector("input");
  const error = card.querySelector(".error");
  const button = card.querySelector("button");
  button.disabled = true;
  try {
    await ask(`/simulator/phones/${encodeURIComponent(card.dataset.phone)}/reply`, { text: input.value });
    input.value = "";
    error.hidden = true;
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
  }
  button.disabled = false;
  refresh();
});

document.getElementById("open").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = document.getElementById("open-number");
  const path = `/simulator/phones/${encodeURIComponent(input.value)}/messages?limit=1`;
  try {
    await ask(path);
    let digits = input.value.replace(/[^0-9]/g, "");
    if (!input.value.trim().startsWith("+")) {
      digits = digits.startsWith("00") ? digits.slice(2) : digits.replace(/^0(?=\d{9}$)/, "33");
    }
    const phone = `+${digits}`;
    opened.set(phone, true);
    input.value = "";
    notice.hidden = true;
    await draw();
    const card = [...main.children].find((each) => each.dataset.phone === phone);
    card?.scrollIntoView({ block: "nearest" });
    card?.querySelector("input").focus();
  } catch (problem) {
    notice.textContent = problem.message;
    notice.hidden = false;
  }
});

for (const button of document.querySelectorAll("[data-advance]")) {
  button.addEventListener("click", async () => {
    try {
      const { settled } = await ask("/simulator/clock", { advance_s: Number(button.dataset.advance) });
      notice.textContent = `${button.textContent} ahead: ${settled} message${settled === 1 ? "" : "s"} came to an end.`;
    } catch (problem) {
      notice.textContent = problem.message;
    }
    notice.hidden = false;
    refresh();
  });
}

for (const time of document.querySelectorAll("time")) time.textContent = clockTime(time.dateTime);
for (const screen of document.querySelectorAll(".screen")) screen.scrollTop = screen.scrollHeight;

const events = new EventSource("/simulator/events");
events.addEventListener("hello", () => {
  live.textContent = "live";
  live.className = "live on";
  refresh(); // what came between the page and its first event
});
events.addEventListener("phones", refresh);
events.onerror = () => {
  live.textContent = "not live";
  live.className = "live";
};
