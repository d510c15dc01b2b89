// A till's display: shows each answer at once, large, for some seconds; then waits for the next card.

import { fit, follow, make, watchBuild, word } from "/static/common.js";
import { play, unlockBy } from "/static/sound.js";

const answer = document.getElementById("answer");
const part = (selector) => answer.querySelector(selector);
const recent = document.getElementById("recent");
const SHOWN_MS = { served: 4000, again: 4000, refused: 7000, unknown: 7000, ask: 60000, one_card: 4000, unreadable: 4000 };
const SOUNDS = { served: "yes", again: "again", refused: "no", unknown: "no", ask: "ask", one_card: "no", unreadable: "no" };
const MANY_CLASSES = 24; // more stand closer together, so that all are seen without a touch
const START_MS = 1500;
const RECENT_MS = 15000;
const RECENT_MOST = 4;
let fading = null;
let away = "starting"; // then "no_connection" or "no_reader" while nothing can be answered, null while all is well

const reader = answer.dataset.reader;
sessionStorage.setItem("display", location.pathname); // where the shift's page in this window leads back to
const hasSounds = answer.dataset.sounds === "on";
document.getElementById("tablets").hidden = answer.dataset.tablets !== "yes";
if (hasSounds) unlockBy(document.getElementById("sound"));

/** Put a look on the display; what is not given is empty. */
function paint(look, { title = word(`till.${look}`), name = "", className = "", more = "", photo = null, choose = null } = {}) {
  answer.dataset.look = look;
  answer.classList.toggle("named", name !== "");
  answer.classList.toggle("has-photo", photo !== null);
  part("use").setAttribute("href", `#s-${look === "no_connection" ? "no_reader" : look}`);
  for (const [selector, text] of [[".word", title], [".name", name], [".class", className], [".more", more]]) {
    fit(part(selector), text);
  }
  part(".photo").hidden = photo === null;
  if (photo === null) part(".photo").removeAttribute("src");
  else part(".photo").src = photo;
  part(".choose").hidden = choose === null;
  if (choose !== null) part(".choose").href = choose;
}

/** Show what holds while no answer does. */
function rest() {
  clearTimeout(fading);
  delete answer.dataset.tap;
  if (away) paint(away, { more: word(`till.${away}_more`) });
  else paint("waiting", { more: word("till.waiting_more") });
  document.body.classList.toggle("gone", away === "no_connection");
}

function remember(look, name, className) {
  const symbol = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  symbol.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  symbol.firstChild.setAttribute("href", `#s-${look}`);
  const told = name ? `${name} ${className}` : word(`till.${look}`);
  const row = make("li", { "data-look": look }, symbol, make("span", {}, told));
  recent.prepend(row);
  while (recent.children.length > RECENT_MOST) recent.lastChild.remove();
  setTimeout(() => row.remove(), RECENT_MS);
}

function show(told) {
  clearTimeout(fading);
  if (away) {
    away = null; // somebody was answered: the reader is there
    document.body.classList.remove("gone");
  }
  const isMarked = told.how !== "tap" && told.look === "served";
  const more = told.reason || (isMarked ? word("till.by_hand") : word(`till.${told.look}_more`, {}).replace(/^till\..*/, ""));
  const choose = told.look === "ask" ? `/shift?asked=${encodeURIComponent(told.tap_id)}` : null;
  paint(told.look, { name: told.name, className: told.class, more, photo: told.photo, choose });
  answer.dataset.tap = told.tap_id ?? "";
  fading = setTimeout(rest, SHOWN_MS[told.look]);
  if (hasSounds) play(SOUNDS[told.look]);
  remember(told.look, told.name, told.class);
}

function showCounts(told) {
  const isKnown = told.expected !== null;
  document.getElementById("total").textContent = isKnown
    ? word("till.of_expected", { served: told.pupils, expected: told.expected })
    : String(told.total);
  document.getElementById("part").style.width = told.expected ? `${Math.min(100, (100 * told.pupils) / told.expected)}%` : "0";
  const classes = document.getElementById("classes");
  classes.classList.toggle("many", told.classes.length > MANY_CLASSES);
  classes.replaceChildren(
    ...told.classes.map((each) => {
      const isAway = each.expected === 0;
      const isAll = !isAway && each.served >= each.expected;
      const counts = isAway ? (each.served || "–") : `${each.served}/${each.expected}`;
      const look = isAway ? "away" : isAll ? "all" : "some";
      return make("li", { class: look, title: isAway ? `${each.name}: ${word("till.absent_class")}` : each.name }, make("span", {}, each.name), make("b", {}, String(counts)));
    }),
  );
}

function showState(told) {
  watchBuild(told.build);
  document.getElementById("time").textContent = told.time;
  document.getElementById("signs").replaceChildren(
    ...told.signs.map((sign) => make("li", { class: sign.level }, word(sign.word, sign.values))),
  );
  const lost = told.signs.some((sign) => sign.word === "till.sign_reader_away");
  setAway(lost ? "no_reader" : null);
}

function setAway(now) {
  if (now === away) return;
  away = now;
  if (away) recent.replaceChildren();
  rest();
}

follow(`/api/stream?reader=${encodeURIComponent(reader)}`, {
  answer: show,
  counts: showCounts,
  state: showState,
  reader: (told) => setAway(told.away ? "no_reader" : null),
  away: () => setAway("no_connection"),
  lost: () => setAway("no_connection"),
});
setTimeout(() => away === "starting" && setAway("no_connection"), START_MS);
