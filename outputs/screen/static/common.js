// What all pages share: their words, asking the server, and hearing what happens at the readers.

const words = JSON.parse(document.getElementById("words").textContent);

/** Return a word of the visitor's language; `{name}` in it is filled from `values`. */
export function word(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{([a-z_]+)\}/g, (hole, name) => values[name] ?? hole);
}

/** Why the server did not do what was asked: `word` names the reason, `message` says it. */
export class Refused extends Error {
  constructor(key, values, status) {
    super(word(key, values));
    this.word = key;
    this.values = values;
    this.status = status;
  }
}

/** Ask the server for a deed; return its answer. Throws Refused, also where nobody answers. */
export async function post(path, body = {}, withinMs = 8000) {
  let response, answer;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(withinMs),
    });
    answer = await response.json();
  } catch {
    throw new Refused(response ? "common.malformed" : "common.no_screen", { name: path }, response?.status ?? 0);
  }
  if (!response.ok) throw new Refused(answer.refused ?? "common.malformed", answer.values ?? {}, response.status);
  return answer;
}

/** Make an element: `make("li", {class: "pupil"}, "text", child, …)`. Text stays text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Make a button that does `act` when it is pressed. */
export function button(text, act, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
}

/** Put a text on an element, and tell its style (`--n`) how many letters its longest word has: large words are set so that none breaks. */
export function fit(element, text, least = 4) {
  element.textContent = text;
  element.style.setProperty("--n", Math.max(least, ...text.split(/[\s-]+/).map((each) => each.length)));
  return element;
}

/** Return an id for a deed (16 bytes in hex): the same deed asked for again has the same, and is done once. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

let isOld = false;

/** Load the page anew where the server's pages are of another version by now: a kiosk's page stands open for months. */
export function watchBuild(build) {
  if (build && build !== document.documentElement.dataset.build && !isOld) {
    isOld = true;
    location.reload();
  }
}

/** Load the page anew if it can be had: its stream was refused, so this page is of a reader, or of a tablet, that is none any more. */
async function renew() {
  const there = await fetch(location.href).catch(() => null);
  if (there?.ok && !isOld) {
    isOld = true;
    location.reload();
  }
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;
const REFUSED_MOST = 5; // times that a stream is refused before the page itself is asked for
const SILENT_MS = 6000; // the server says how things are every 2 s

/** What a connection needs that comes back by itself: `open` after a pause that grows, `giveUp` once nothing was heard for too long. */
export function patience(open, giveUp) {
  let silence, pauseMs = FIRST_PAUSE_MS;
  return {
    wait() {
      clearTimeout(silence);
      silence = setTimeout(giveUp, SILENT_MS);
    },
    heard() {
      pauseMs = FIRST_PAUSE_MS;
      this.wait();
    },
    lost() {
      clearTimeout(silence);
      setTimeout(open, pauseMs);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    },
  };
}

/**
 * Hear a stream of server-sent events. `handlers` are functions by event name, each called with the event's JSON; `lost` and `back`
 * are called when the server is not heard and when it is again. It reconnects by itself, for ever.
 */
export function follow(path, handlers) {
  const connection = patience(open, lose);
  let source, isLost = false, refusals = 0;

  function lose() {
    if (source.readyState === EventSource.CLOSED && ++refusals >= REFUSED_MOST) renew();
    source.close();
    if (!isLost) {
      isLost = true;
      handlers.lost?.();
    }
    connection.lost();
  }

  function heard() {
    connection.heard();
    refusals = 0;
    if (isLost) {
      isLost = false;
      handlers.back?.();
    }
  }

  function open() {
    source = new EventSource(path);
    source.onerror = lose;
    connection.wait();
    for (const name of Object.keys(handlers).filter((each) => each !== "lost" && each !== "back")) {
      source.addEventListener(name, (event) => {
        heard();
        handlers[name](JSON.parse(event.data));
      });
    }
    source.addEventListener("beat", heard);
  }

  open();
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", async () => {
    await post(`/api/language?is=${button.dataset.language}`);
    location.reload();
  });
}
