"use strict";
/* Send the token once; the server answers with a cookie that this script can't read.
   A link may bring it behind the #, from where it is taken before anybody sees it. */
(() => {
  const $ = (id) => document.getElementById(id);
  const show = async (token) => {
    $("said").textContent = "";
    try {
      const headers = { "content-type": "application/json", "x-rft-console": "1" };
      const reply = await fetch("/console/sign-in", { method: "POST", headers, body: JSON.stringify({ token }) });
      if (reply.ok) { location.reload(); return; }
      $("said").textContent = (await reply.json()).error;
    } catch (error) {
      $("said").textContent = "The server does not answer (" + error.message + ").";
    }
    $("token").select();
  };
  $("sign-in").addEventListener("submit", (event) => { event.preventDefault(); show($("token").value); });
  if (location.hash.startsWith("#token=")) {
    const token = location.hash.slice("#token=".length);
    history.replaceState(null, "", location.pathname);
    show(token);
  }
})();
