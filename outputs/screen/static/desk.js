// The library desk's page: hears /ws/desk, shows who it is and the number, copies it, and finds by name in an opened shift.
import { Refused, make, newId, patience, post, word } from "/static/common.js";

const FIND_AFTER_MS = 250;
const COPIED_MS = 2000;
const SHIFT_EVERY_MS = 15_000;
const FORGOTTEN_MS = 180_000; // a name does not stand there for whoever comes next

const answer = document.getElementById("answer");
const condition = document.getElementById("condition");
const pinForm = document.getElementById("pin");
const findForm = document.getElementById("find");
const findField = document.getElementById("find-field");
const refusal = document.getElementById("refusal");
const found = document.getElementById("found");
const isTyping = answer.dataset.types !== "none";

// What is heard

const waiting = [...answer.children];
const connection = patience(listen, () => socket.close());
let socket, forgetting;

function show(look, tap, ...children) {
  answer.dataset.look = look;
  answer.dataset.tap = tap;
  answer.replaceChildren(...children);
  clearTimeout(forgetting);
  if (look !== "waiting") forgetting = setTimeout(() => show("waiting", "", ...waiting), FORGOTTEN_MS);
}

function listen() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/desk`);
  connection.wait();
  socket.addEventListener("message", (event) => {
    connection.heard();
    const told = JSON.parse(event.data);
    ({ state: showCondition, identified: showPerson, refused: showRefusal, typed: showTyped })[told.kind]?.(told);
  });
  socket.addEventListener("close", () => {
    showCondition({ is_reading: false });
    connection.lost();
  });
}

function showCondition({ is_reading, keyboard }) {
  const said = !is_reading ? word("desk.away") : keyboard ? word("desk.keyboard_fault", { fault: keyboard }) : "";
  condition.textContent = said;
  condition.hidden = said === "";
}

function showPerson(told) {
  show(
    "identified",
    told.tap_id,
    ...(told.photo ? [make("img", { class: "photo", src: told.photo, alt: "" })] : []),
    make("p", { class: "first" }, told.first_name || word("desk.no_name")),
    make("p", { class: "whole" }, [told.name, told.class].filter(Boolean).join(" · ")),
    told.number === null ? make("p", { class: "fault" }, word("desk.no_number")) : number(told.number),
    make("p", { class: "typed quiet", role: "status" }, told.by_hand ? word("desk.by_hand") : ""),
  );
}

function number(text) {
  const button = make("button", { type: "button", class: "main copy" }, word("desk.copy"));
  button.addEventListener("click", async () => {
    await copy(text);
    button.textContent = word("desk.copied");
    setTimeout(() => (button.textContent = word("desk.copy")), COPIED_MS);
  });
  return make("div", { class: "number" }, make("output", { "aria-label": word("desk.number") }, text), button);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a browser that gives the clipboard to none: the number is marked, and copied the old way
    const range = document.createRange();
    range.selectNodeContents(answer.querySelector("output"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
}

function showRefusal(told) {
  show(
    "refused",
    told.tap_id,
    make("p", { class: "first" }, word("desk.refused")),
    make("p", { class: "whole" }, told.says),
    ...(told.reason === "not_admitted" ? [make("p", { class: "hint" }, word("desk.refused_more"))] : []),
  );
}

function showTyped(told) {
  const line = answer.querySelector(".typed");
  if (!isTyping || !line || answer.dataset.tap !== told.tap_id) return;
  line.textContent = told.fault ? word("desk.not_typed", { fault: told.fault }) : word("desk.typed");
  line.className = told.fault ? "typed fault" : "typed done";
}

// By name

async function watchShift(touched = false) {
  try {
    const shift = await post("/api/shift/state", { touched });
    pinForm.hidden = shift.open;
    findForm.hidden = !shift.open;
    if (!shift.open) found.replaceChildren();
  } catch {} // the socket tells that the server is away
}

function refuse(error) {
  if (!(error instanceof Refused)) throw error;
  refusal.textContent = error.message;
  refusal.hidden = false;
  if (error.word === "shift.closed") watchShift();
}

pinForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  refusal.hidden = true;
  const field = document.getElementById("pin-field");
  try {
    await post("/api/shift/open", { pin: field.value });
    await watchShift();
    findField.focus();
  } catch (error) {
    refuse(error);
  }
  field.value = "";
});

findForm.addEventListener("submit", (event) => event.preventDefault());

let typing, latest = 0;
findField.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(find, FIND_AFTER_MS);
});

async function find() {
  const asked = ++latest;
  refusal.hidden = true;
  try {
    const text = findField.value.trim();
    const told = text ? await post("/api/desk/find", { text }) : { found: null };
    if (asked === latest) showFound(told.found);
  } catch (error) {
    refuse(error);
  }
}

function showFound(persons) {
  if (persons === null) found.replaceChildren();
  else if (persons.length === 0) found.replaceChildren(make("li", {}, word("desk.none_found")));
  else found.replaceChildren(...persons.map(line));
}

function line(person) {
  const button = make("button", { type: "button", class: "main" }, word("desk.hand_over"));
  const id = newId();
  button.addEventListener("click", async () => {
    button.disabled = true;
    refusal.hidden = true;
    try {
      await post("/api/desk/hand", { person: person.person, id });
      findField.value = "";
      showFound(null);
    } catch (error) {
      button.disabled = false;
      refuse(error);
    }
  });
  const photo = person.photo ? make("img", { src: person.photo, alt: "" }) : make("span", { class: "blank" });
  return make("li", {}, photo, make("span", {}, person.name, make("span", { class: "class" }, person.class)), button);
}

listen();
watchShift();
setInterval(watchShift, SHIFT_EVERY_MS);
