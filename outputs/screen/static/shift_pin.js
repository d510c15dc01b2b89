// The keypad of a shift's PIN, for fingers and for a keyboard.

import { button, make, word } from "/static/common.js";

const PIN_MOST = 12;

/** Make the keypad; `open` is called with what was typed, which is on the page no more by then. */
export function keypad(open) {
  const shown = make("output", { "aria-label": word("shift.pin_help") });
  let pin = "";
  const put = (text) => {
    pin = text.slice(0, PIN_MOST);
    shown.textContent = "•".repeat(pin.length);
  };
  const erase = () => put(pin.slice(0, -1));
  const enter = () => {
    const typed = pin;
    put("");
    if (typed) open(typed);
  };
  const digit = (each) => button(each, () => put(pin + each));
  const pad = make("div", { class: "pad" },
    make("h2", {}, word("shift.pin_title")),
    make("p", { class: "quiet" }, word("shift.pin_help")),
    shown,
    make("div", { class: "keys" }, ...[..."123456789"].map(digit), button(word("shift.pin_erase"), erase, { class: "small" }), digit("0"),
      button(word("shift.pin_open"), enter, { class: "main small" })),
    make("p", { class: "quiet" }, word("shift.minute")),
  );
  hearKeys(pad, { digit: (each) => put(pin + each), erase, enter });
  return pad;
}

/** Hear a keyboard for as long as the keypad is on the page; Enter on a button is the button's. */
function hearKeys(pad, { digit, erase, enter }) {
  document.addEventListener("keydown", function typed(event) {
    if (!pad.isConnected) return document.removeEventListener("keydown", typed);
    if (/^[0-9]$/.test(event.key)) digit(event.key);
    if (event.key === "Backspace") erase();
    if (event.key === "Enter" && event.target === document.body) enter();
  });
}
