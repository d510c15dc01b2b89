// The paired tablets, on the host's own screen: a code for another, the list, and letting one go.
import { button, make, post, word } from "/static/common.js";

const part = (id) => document.getElementById(id);

function say(text) {
  part("fault").textContent = text;
  part("fault").hidden = false;
}

async function attempt(deed) {
  part("fault").hidden = true;
  try {
    await deed();
  } catch (refused) {
    say(refused.word === "shift.closed" ? word("tablets.needs_shift") : refused.message);
  }
}

async function list() {
  const told = await post("/api/tablets/list");
  if (told.fault) say(word("tablets.closed", { why: told.fault }));
  part("address").textContent = told.address;
  part("fingerprint").textContent = told.fingerprint;
  part("none").hidden = told.tablets.length > 0;
  part("list").replaceChildren(
    ...told.tablets.map((each) => {
      const press = button(word("tablets.revoke"), () => attempt(async () => {
        await post("/api/tablets/revoke", { id: each.id });
        await list();
      }));
      return make("li", {}, make("b", {}, each.name), ` ${new Date(each.paired_at).toLocaleDateString(document.documentElement.lang)} `, press);
    }),
  );
}

part("new").addEventListener("click", () => attempt(async () => {
  const told = await post("/api/tablets/code");
  part("code").textContent = told.code;
  part("more").textContent = word("tablets.code_more", { minutes: told.minutes, address: part("address").textContent });
  part("shown").hidden = false;
}));
attempt(list);
