// A tablet's first page: the code that pairs it.
import { post } from "/static/common.js";

const fault = document.getElementById("fault");
document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  fault.hidden = true;
  try {
    await post("/api/pair", { code: document.getElementById("code").value, name: document.getElementById("name").value });
    location.replace("/");
  } catch (refused) {
    fault.textContent = refused.message;
    fault.hidden = false;
  }
});
