// The choice among several readers.
import { make } from "/static/common.js";

const list = document.getElementById("readers");
for (const reader of list.dataset.readers.split(" ").filter(Boolean)) {
  list.append(make("a", { class: "button main", href: `/till/${reader}` }, reader));
}
