// The library desk's page: hears /ws/desk, shows who it is and the number, copies it, and finds by name in an opened shift.
import { Refused, button, fit, make, newId, patience, post, watchBuild, word } from "/static/common.js";

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
document.getElementById("tablets").hidden = answer.dataset.tablets !== "yes";

// What is heard

const connection = patience(listen, () => socket.close());
let socket, forgetting, isAway = false;

function show(look, tap, ...children) {
  answer.dataset.look = look;
  answer.dataset.tap = tap;
  answer.replaceChildren(...children);
  clearTimeout(forgetting);
  if (tap) forgetting = setTimeout(rest, FORGOTTEN_MS);
}

/** Show what holds while nobody is shown. */
function rest() {
  show(isAway ? "away" : "waiting", "", make("p", { class: "word" }, word(isAway ? "desk.away" : "desk.waiting")));
}

const large = (name, text) => fit(make("p", { class: name }), text);

function listen() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/desk`);
  connection.wait();
  socket.addEventListener("message", (event) => {
    connection.heard();
    const told = JSON.parse(event.data);
    watchBuild(told.build);
    ({ state: showCondition, identified: showPerson, refused: showRefusal, typed: showTyped })[told.kind]?.(told);
  });
  socket.addEventListener("close", () => {
    showCondition({ is_reading: false });
    connection.lost();
  });
}

function showCondition({ is_reading, keyboard }) {
  isAway = !is_reading;
  if (!answer.dataset.tap) rest(); // whoever is shown is still being served
  const said = !is_reading ? word("desk.away") : keyboard ? word("desk.keyboard_fault", { fault: keyboard }) : "";
  condition.textContent = said;
  condition.hidden = said === "";
}

function showPerson(told) {
  show(
    "identified",
    told.tap_id,
    ...(told.photo ? [make("img", { class: "photo", src: told.photo, alt: "" })] : []),
    large(told.first_name ? "first" : "first small", told.first_name || word("desk.no_name")),
    make("p", { class: "whole" }, [told.name, told.class].filter(Boolean).join(" · ")),
    told.number === null ? make("p", { class: "fault" }, word("desk.no_number")) : number(told.number),
    make("p", { class: "typed quiet", role: "status" }, told.by_hand ? word("desk.by_hand") : ""),
  );
}

function number(text) {
  const press = button(word("desk.copy"), async () => {
    await copy(text);
    press.textContent = word("desk.copied");
    setTimeout(() => (press.textContent = word("desk.copy")), COPIED_MS);
  }, { class: "main copy" });
  const shown = fit(make("output", { "aria-label": word("desk.number") }), text);
  return make("div", { class: "number" }, shown, press);
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
    large("first", word("desk.refused")),
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
    showShift(await post("/api/shift/state", { touched }));
  } catch {} // the socket tells that the server is away
}

function showShift(shift) {
  pinForm.hidden = shift.open;
  findForm.hidden = !shift.open;
  document.getElementById("worker").textContent = shift.worker ?? "";
  if (!shift.open) forgetFound();
}

/** Leave no names on the page for whoever comes next. */
function forgetFound() {
  latest += 1;
  findField.value = "";
  showFound(null);
}

document.getElementById("end").addEventListener("click", async () => {
  await post("/api/shift/close").catch(() => null);
  showShift({ open: false });
});

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
    showShift({ open: true, ...(await post("/api/shift/open", { pin: field.value })) });
    findField.focus();
  } catch (error) {
    refuse(error);
  }
  field.value = "";
});

findForm.addEventListener("submit", (event) => event.preventDefault());

let typing, left, latest = 0;
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
  clearTimeout(left);
  if (persons !== null) left = setTimeout(forgetFound, FORGOTTEN_MS);
  if (persons === null) found.replaceChildren();
  else if (persons.length === 0) found.replaceChildren(make("li", { class: "nobody" }, word("desk.none_found")));
  else found.replaceChildren(...persons.map(line));
}

function line(person) {
  const id = newId();
  const press = button(word("desk.hand_over"), async () => {
    press.disabled = true;
    refusal.hidden = true;
    try {
      await post("/api/desk/hand", { person: person.person, id });
      forgetFound();
    } catch (error) {
      press.disabled = false;
      refuse(error);
    }
  }, { class: "main" });
  const photo = person.photo ? make("img", { src: person.photo, alt: "" }) : make("span", { class: "blank" });
  return make("li", {}, photo, make("span", { class: "name" }, person.name, make("span", { class: "class" }, person.class)), press);
}

listen();
watchShift();
setInterval(watchShift, SHIFT_EVERY_MS);
