// Asks a desk for the next card and waits until it was tapped; then sends the form on with the number of the request.
"use strict";
for (const form of document.querySelectorAll("form[data-desk]")) {
  const said = form.querySelector("[data-said]");
  const button = form.querySelector("button");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const say = (word) => { said.hidden = false; said.className = word === "waiting" ? "tap-wait" : "note bad"; said.textContent = form.dataset[word]; };
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  async function wait() {
    const body = new URLSearchParams({ host: form.elements.host.value });
    const asked = await fetch(form.dataset.desk, { method: "POST", body, headers: { "X-CSRFToken": token } });
    if (!asked.ok) { throw new Error(asked.status); }
    const { request, wait_s } = await asked.json();
    say("waiting");
    for (const end = Date.now() + (wait_s + 2) * 1000; Date.now() < end; await pause(500)) {
      const { state } = await (await fetch(`${form.dataset.desk}${request}/`)).json();
      if (state === "tapped") { form.elements.request.value = request; form.submit(); return; }
      if (state === "expired") { break; }
    }
    say("expired");
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    wait().catch(() => say("failed")).finally(() => { button.disabled = false; });
  });
}
