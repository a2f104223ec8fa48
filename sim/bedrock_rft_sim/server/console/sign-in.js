"use strict";
/* Send the token once; the server answers with a cookie that this script can't read. */
(() => {
  const $ = (id) => document.getElementById(id);
  $("sign-in").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("said").textContent = "";
    try {
      const headers = { "content-type": "application/json", "x-rft-console": "1" };
      const reply = await fetch("/console/sign-in", { method: "POST", headers, body: JSON.stringify({ token: $("token").value }) });
      if (reply.ok) { location.reload(); return; }
      $("said").textContent = (await reply.json()).error;
    } catch (error) {
      $("said").textContent = "The server does not answer (" + error.message + ").";
    }
    $("token").select();
  });
})();
