// The worker's shift: class → name → done. Names come to this page only while a shift is open, and leave it when it ends.

import { button, make, newId, post, word } from "/static/common.js";
import { keypad } from "/static/shift_pin.js";
import { tickList } from "/static/shift_ticks.js";

const POLL_MS = 1500;
const HOME_AFTER_MS = 60000; // a list of names is not left open to the line
const PAPER_DAYS = 60;
const MOST_RECENT = 30;
const DAY_MS = 86400000;
const UNDO_MS = 120000;
const REASONS = ["why_1", "why_2", "why_3", "why_4"];

const view = document.getElementById("view");
const said = document.getElementById("said");
const asking = document.getElementById("asking");
const recent = document.getElementById("recent");
const sheet = document.getElementById("sheet");
const services = document.getElementById("services");
const end = document.getElementById("end");
const language = document.documentElement.lang;
const display = sessionStorage.getItem("display"); // the till's display that this window showed before, if any
const isTill = display !== null && document.getElementById("head").dataset.returns === "yes"; // and no tablet, which its worker carries about
document.getElementById("display").href = display ?? "/";

let shift = { open: false }; // what the server told last
let heardMs = 0; // when that was
let isTouched = false;
let touchedMs = Date.now();
let asked = new URLSearchParams(location.search).get("asked"); // the tap that the next pupil answers
let place = "pin"; // pin, home, class, mark, paper

const deed = (name, body = {}) => post(`/api/shift/${name}`, { service: services.value || undefined, ...body });

/** Begin another view, at its top. */
function enter(name, ...children) {
  place = name;
  view.replaceChildren(...children);
  scrollTo(0, 0);
}

/** Ask for a deed; what comes of it goes to `done`. Where nothing comes the same deed, with the same id, can be asked for again. */
async function attempt(name, body, done) {
  try {
    done(await deed(name, body));
  } catch (refused) {
    if (refused.word === "shift.closed") return showPin(refused.message);
    const more = refused.values?.why ? ` (${refused.values.why})` : "";
    complain(refused.message + more, button(word("shift.retry"), () => attempt(name, body, done), { class: "again" }));
  }
}

/** Say what went wrong where it is seen: on the open sheet, or else on the page. */
function complain(text, again) {
  if (!sheet.open) return say(text, "fault", again);
  sheet.querySelectorAll(".complaint").forEach((each) => each.remove());
  sheet.append(make("p", { class: "refused complaint" }, text), again);
  again.classList.add("complaint");
  again.addEventListener("click", () => sheet.querySelectorAll(".complaint").forEach((each) => each.remove()));
}

/** Bring a list to what it should show, row by row: one that stays is not made anew, or a finger on its button would miss. */
function keep(list, items, keyOf, build, fill = () => {}) {
  const old = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const rows = items.map((item) => {
    const key = keyOf(item);
    const row = old.get(key) ?? build(item);
    row.dataset.key = key;
    fill(row, item);
    return row;
  });
  if (rows.length !== list.children.length || rows.some((row, n) => list.children[n] !== row)) list.replaceChildren(...rows);
}

let saying = 0;

function say(text, kind, ...buttons) {
  clearTimeout(saying);
  delete said.dataset.lost;
  if (kind === "done") saying = setTimeout(() => say(), UNDO_MS);
  said.hidden = !text;
  said.className = kind ?? "";
  said.replaceChildren(text ?? "", ...buttons);
}

// The PIN

function showPin(why) {
  shift = { open: false };
  sheet.close();
  sheet.replaceChildren();
  enter("pin", keypad(open));
  say(why, "fault");
  furnish();
}

async function open(pin) {
  try {
    await post("/api/shift/open", { pin });
    say();
    await look();
    showHome();
  } catch (refused) {
    say(refused.message, "fault");
  }
}

// What a shift sees

async function look() {
  const touched = isTouched;
  isTouched = false;
  try {
    const told = await deed("state", { touched });
    heardMs = Date.now();
    if (shift.open && !told.open) return showPin(word("shift.closed"));
    if (!told.open && !told.has_names && place === "pin") say(word("shift.no_names"), "fault");
    shift = told;
    if (said.dataset.lost) say();
  } catch (refused) {
    isTouched ||= touched;
    if (shift.open && !said.querySelector(".again")) { // a deed that can be tried again stays said
      say(refused.message, "fault");
      said.dataset.lost = "yes";
    }
  }
  furnish();
}

/** Bring what stands around the view to what was told: who serves, which taps ask, which marks can be taken back. */
function furnish() {
  document.getElementById("worker").textContent = shift.worker ?? "";
  end.hidden = !shift.open;
  document.body.classList.toggle("is-open", shift.open);
  const known = [...services.options].map((each) => each.value).join();
  if (shift.services && known !== shift.services.join()) {
    services.replaceChildren(...shift.services.map((each) => make("option", { value: each }, serviceName(each))));
  }
  services.hidden = !shift.open || (shift.services ?? []).length < 2;
  if (shift.open && !shift.services.length) say(word("shift.no_service"), "fault");
  showAsking();
  showRecent();
  if (place === "home") for (const each of shift.classes ?? []) fillClass(each);
}

function serviceName(code) {
  const named = word(`shift.service_${code}`);
  return named === `shift.service_${code}` ? code : named;
}

function showAsking() {
  const waiting = ((shift.open && shift.asking) || []).filter((each) => !asked || each.tap_id === asked);
  if (asked && shift.open && !waiting.length) waiting.push({ tap_id: asked });
  asking.hidden = !waiting.length;
  keep(asking, waiting, (each) => `${each.tap_id} ${each.tap_id === asked}`, askRow, (row, each) => {
    const seconds = each.ago_s + Math.round((Date.now() - heardMs) / 1000);
    row.querySelector(".ago").textContent = each.reader ? word("shift.asking_ago", { reader: each.reader, seconds }) : "";
  });
}

function askRow(each) {
  const isPool = each.reason === "pool_card_not_lent";
  const isChosen = each.tap_id === asked;
  const text = isChosen ? "shift.asking_for" : isPool ? "shift.asking" : "shift.asking_other";
  const answer = () => (isPool || !each.person ? pick(each.tap_id) : openSheet(each, each.tap_id));
  const act = isChosen ? button(word("shift.cancel"), () => pick(null)) : button(word("shift.asking_pick"), answer, { class: "main" });
  return make("div", { class: "asks" }, make("strong", {}, word(text)), make("span", { class: "ago" }), act);
}

function pick(tapId) {
  asked = tapId;
  history.replaceState(null, "", location.pathname);
  showHome();
  furnish();
}

function showRecent() {
  const passedS = (Date.now() - heardMs) / 1000;
  const marks = ((shift.open && shift.undoable) || []).map((each) => ({ ...each, left_s: Math.round(each.left_s - passedS) })).filter((each) => each.left_s > 0);
  recent.hidden = !marks.length;
  if (!recent.children.length) recent.append(make("h2", {}, word("shift.recent")), make("ul"));
  const row = (each) => {
    const back = button(word("shift.undo"), () => undo([each.tap_id], each.name ?? "?"));
    return make("li", {}, make("span", { class: "name" }, `${each.name ?? "?"} · ${each.class ?? ""}`), make("span", { class: "quiet left" }), back);
  };
  keep(recent.lastChild, marks.slice(0, MOST_RECENT), (each) => each.tap_id, row, (shown, each) => {
    shown.querySelector(".left").textContent = word("shift.seconds", { seconds: each.left_s });
  });
}

const undone = new Map(); // the id of the request by its first mark: a second press asks the same

function undo(marks, name) {
  if (!undone.has(marks[0])) undone.set(marks[0], newId());
  attempt("undo", { marks, id: undone.get(marks[0]) }, (told) => {
    say(told.refused ? word(`shift.${told.refused}`) : word("shift.undone", { name }), told.refused ? "fault" : "done");
    renew();
  });
}

/** After a deed: hear how things are, and show the open list anew. */
async function renew() {
  await look();
  if (place === "class") showClass(view.dataset.class);
}

// Home: the classes

function showHome() {
  const search = make("input", { type: "search", placeholder: word("shift.search"), "aria-label": word("shift.search"), autocomplete: "off" });
  search.addEventListener("input", () => showFind(search.value));
  const found = make("div", { id: "found" });
  enter("home",
    make("div", { class: "bar" }, search, button(word("shift.paper"), () => {
      asked = null;
      say();
      showPaper();
      furnish();
    })),
    found,
    make("ul", { class: "grid", id: "classes" }),
  );
  const grid = document.getElementById("classes");
  for (const each of shift.classes ?? []) {
    const open = button(each.name, () => showClass(each.name), { "data-class": each.name });
    open.append(make("small", {}, ""));
    grid.append(make("li", {}, open));
    fillClass(each);
  }
}

function fillClass(each) {
  const shown = document.querySelector(`#classes button[data-class="${CSS.escape(each.name)}"] small`);
  if (shown) shown.textContent = word("shift.eaten_of", { eaten: each.eaten, count: each.count });
}

let findNumber = 0;

function showFind(text) {
  const number = ++findNumber;
  const grid = document.getElementById("classes");
  const found = document.getElementById("found");
  grid.hidden = Boolean(text.trim());
  if (!text.trim()) return found.replaceChildren();
  attempt("find", { text }, (told) => {
    if (number !== findNumber || place !== "home") return;
    const rows = told.pupils.map((each) => pupil(each, true));
    found.replaceChildren(rows.length ? make("ul", { class: "pupils" }, ...rows) : make("p", { class: "quiet" }, word("shift.nobody_found")));
  });
}

function pupil(each, withClass = false) {
  const row = button("", () => openSheet(each, asked), { class: each.eaten ? "eaten" : null, "data-person": each.person });
  row.append(make("span", { class: "name" }, each.name));
  if (withClass) row.append(make("span", { class: "of" }, each.class));
  if (each.eaten) row.append(make("span", { class: "mark" }, word("shift.eaten")));
  return make("li", {}, row);
}

function showClass(name) {
  attempt("class", { class: name }, (told) => {
    const isThere = place === "class" && view.dataset.class === name; // shown anew after a deed: the list stays where it was
    const atPx = scrollY;
    view.dataset.class = name;
    enter("class",
      make("div", { class: "bar" }, button(word("shift.back"), showHome), make("h2", {}, name),
        asked ? "" : button(word("shift.mark_class"), () => showMany(told.pupils, name, null), { class: "push" })),
      make("ul", { class: "pupils" }, ...told.pupils.map((each) => pupil(each))),
    );
    if (isThere) scrollTo(0, atPx);
  });
}

// Many at once: a class, or a paper list of a day

/** Tick pupils of a class: today's where `day` is null, or those who stand on the paper list of a day (YYYY-MM-DD). */
function showMany(pupils, name, day) {
  const id = newId();
  const title = day ? word("shift.paper_class", { class: name, day: dayText(day) }) : name;
  const body = day ? { how: "paper", day } : { how: "class" };
  const done = (answer) => markedMany(answer, name, day, title);
  const go = button("", () => attempt("mark", { ...body, persons: list.persons(), id }, done), { class: "main" });
  const list = tickList(pupils, (each) => !day && !each.eaten, (each) => !day && each.eaten, (count) => {
    go.textContent = word("shift.mark_count", { count });
    go.disabled = !count;
  });
  enter("mark",
    make("div", { class: "bar" }, button(word("shift.back"), () => (day ? showPaper() : showClass(name))), make("h2", {}, title),
      button(word("shift.all"), list.all), button(word("shift.none"), list.none)),
    make("p", { class: "quiet" }, word(day ? "shift.paper_help" : "shift.mark_class_help")),
    list.element,
    make("div", { class: "go" }, go),
  );
}

function markedMany(answer, name, day, title) {
  const text = word("shift.marked_count", { count: answer.marks.length });
  if (answer.marks.length) say(text, "done", button(word("shift.undo"), () => undo(answer.marks, title)));
  else say(text, "fault");
  if (answer.refused.length) showRefusedMany(answer.refused);
  day ? showPaper() : showClass(name);
  look();
}

function showRefusedMany(refused) {
  const rows = refused.map((each) => make("li", {}, `${each.name ?? "?"}: ${why(each)}`));
  sheet.replaceChildren(
    make("h2", {}, word("shift.not_marked", { count: refused.length })),
    make("ul", {}, ...rows),
    make("div", { class: "deeds" }, button(word("shift.back"), () => sheet.close())),
  );
  sheet.showModal();
}

let paperDay = null;

/** Say a day (YYYY-MM-DD) so that nobody takes the month for the day, whatever the browser's own way of writing it is. */
function dayText(day) {
  const format = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });
  return format.format(new Date(day));
}

function showPaper() {
  const today = shift.today;
  const first = new Date(Date.parse(today) - PAPER_DAYS * DAY_MS).toISOString().slice(0, 10);
  const day = make("input", { type: "date", max: today, min: first, value: paperDay ?? today, required: true });
  const said = make("b", {}, dayText(day.value));
  day.addEventListener("input", () => {
    paperDay = day.value || null;
    said.textContent = paperDay ? dayText(paperDay) : "";
  });
  const open = (name) => {
    if (day.reportValidity()) attempt("class", { class: name }, (told) => showMany(told.pupils, name, day.value));
  };
  const grid = (shift.classes ?? []).map((each) => make("li", {}, button(each.name, () => open(each.name), { "data-class": each.name })));
  enter("paper",
    make("div", { class: "bar" }, button(word("shift.back"), showHome), make("h2", {}, word("shift.paper_title")),
      make("label", {}, word("shift.day"), day), said),
    make("p", { class: "quiet" }, word("shift.paper_help")),
    make("ul", { class: "grid" }, ...grid),
  );
}

// One pupil

function openSheet(each, tapId) {
  const id = newId();
  const serve = button(word(each.eaten ? "shift.serve_again" : "shift.serve"), () => send({ id }), { class: "main" });
  const send = async (more) => {
    serve.disabled = true;
    await attempt("serve", { person: each.person, asked: tapId ?? undefined, ...more }, (told) => answered(each, tapId, told));
    serve.disabled = false;
  };
  sheet.replaceChildren(who(each), make("div", { class: "deeds" }, serve, button(word("shift.cancel"), () => sheet.close())));
  sheet.showModal();
  serve.focus();
}

function who(each) {
  const picture = each.photo ? make("img", { src: each.photo, alt: "" }) : "";
  const about = make("div", {}, make("h2", {}, each.name), make("p", {}, each.class), each.eaten ? make("p", { class: "quiet" }, word("shift.eaten")) : "");
  return make("div", { class: "who" }, picture, about);
}

function answered(each, tapId, told) {
  if (told.refused) return showRefused(each, tapId, told);
  sheet.close();
  const text = word(tapId ? "shift.asked_served" : "shift.served", { name: each.name });
  say(text, "done", button(word("shift.undo"), () => undo([told.mark], each.name)));
  if (tapId) pick(null);
  else if (place === "home") showHome();
  renew();
}

function why(told) {
  const text = told.said ?? word(`shift.${told.refused}`);
  return told.at ? `${text}. ${word("shift.refused_at", { at: told.at })}` : text;
}

function showRefused(each, tapId, told) {
  const parts = [who(each), make("p", { class: "refused" }, why(told))];
  const cancel = button(word("shift.cancel"), () => sheet.close());
  if (told.may_anyway) {
    const anyway = button(word("shift.anyway"), () => showReasons(each, tapId));
    parts.push(make("div", { class: "deeds" }, cancel, anyway));
  } else {
    parts.push(make("div", { class: "deeds" }, cancel));
    if (tapId) pick(null);
  }
  sheet.replaceChildren(...parts);
  cancel.focus();
}

function showReasons(each, tapId) {
  const id = newId();
  const send = (reason) => attempt("serve", { person: each.person, asked: tapId ?? undefined, why: reason, id }, (told) => answered(each, tapId, told));
  const own = make("input", { type: "text", maxlength: 200, placeholder: word("shift.why_write"), "aria-label": word("shift.why_own") });
  const go = button(word("shift.anyway"), () => send(own.value.trim()), { class: "main", disabled: true });
  own.addEventListener("input", () => (go.disabled = !own.value.trim()));
  sheet.replaceChildren(
    who(each),
    make("h2", {}, word("shift.anyway_why")),
    make("div", { class: "deeds" }, ...REASONS.map((key) => button(word(`shift.${key}`), () => send(word(`shift.${key}`)))), own, go,
      button(word("shift.cancel"), () => sheet.close())),
  );
}

// The page's own life

end.addEventListener("click", async () => {
  await deed("close").catch(() => null);
  showPin();
});
services.addEventListener("change", () => look().then(showHome));
document.addEventListener("pointerdown", () => {
  isTouched = true;
  touchedMs = Date.now();
});
document.addEventListener("keydown", () => {
  isTouched = true;
  touchedMs = Date.now();
});
setInterval(() => {
  if (shift.open) showRecent();
  if (Date.now() - touchedMs <= HOME_AFTER_MS) return;
  if (isTill) location.replace(display); // the line waits for its answers; the shift stays open
  else if (shift.open && place !== "home") {
    sheet.close();
    showHome();
  }
}, 1000);
(async function poll() {
  await look();
  if (shift.open && place === "pin") showHome();
  setTimeout(poll, POLL_MS);
})();
showPin();
