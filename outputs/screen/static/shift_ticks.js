// A list of pupils to tick: a whole class, or those who stand on a paper list.

import { button, make, word } from "/static/common.js";

/** Make the list. `isTicked` and `isGrey` tell of a pupil how the row begins; `changed` is called with how many are ticked, each time. */
export function tickList(pupils, isTicked, isGrey, changed) {
  const ticked = new Set(pupils.filter(isTicked).map((each) => each.person));
  const rows = pupils.map((each) => tickRow(each, isGrey(each), () => {
    if (!ticked.delete(each.person)) ticked.add(each.person);
    show();
  }));
  function show() {
    for (const row of rows) row.setAttribute("aria-pressed", ticked.has(row.dataset.person));
    changed(ticked.size);
  }
  function tick(which) {
    ticked.clear();
    for (const each of pupils.filter(which)) ticked.add(each.person);
    show();
  }
  show();
  return {
    element: make("ul", { class: "pupils" }, ...rows.map((row) => make("li", {}, row))),
    persons: () => [...ticked],
    all: () => tick((each) => !isGrey(each)),
    none: () => tick(() => false),
  };
}

function tickRow(each, isGrey, turn) {
  const row = button("", turn, { "data-person": each.person, class: isGrey ? "eaten" : null });
  row.append(make("span", { class: "box", "aria-hidden": "true" }), make("span", { class: "name" }, each.name));
  if (isGrey) row.append(make("span", { class: "mark" }, word("shift.eaten")));
  return row;
}
