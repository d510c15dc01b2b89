// Renews the list of events every two seconds while the page is looked at; the server gives one screenful.
"use strict";
const list = document.getElementById("live");
const said = document.getElementById("live-said");
let newest = "";
async function renew() {
  const url = new URL(list.dataset.rows, location.href);
  url.searchParams.set("newest", newest);
  const answer = await fetch(url, { redirect: "error" });
  if (!answer.ok) { throw new Error(answer.status); }
  said.hidden = true;
  if (answer.status === 204) { return; }
  newest = answer.headers.get("X-Newest") || "";
  list.innerHTML = await answer.text();
}
async function turn() {
  if (!document.hidden) { await renew().catch(() => { said.hidden = false; }); }
  setTimeout(turn, 2000);
}
turn();
