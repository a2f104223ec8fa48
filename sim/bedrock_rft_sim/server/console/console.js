"use strict";
/* The console.  Job names, events and answers are shown by textContent only, hidden characters made
   visible.  It sends requests to its own server only. */
(() => {
  const { $, visible, element, number } = Curves; // of curves.js, which comes before
  const EVERY_MS = Number(document.body.dataset.everyMs), RESTING_MS = 3 * EVERY_MS;
  let jobs = [], listed = "";
  let chosen = null; // the id of the job on the page
  let job = null, known = ""; // its details, and their text
  let isLate = false; // the server did not answer
  let timer = 0, sureUntil = 0;
  let asking = null; // what ends the question in the playground
  const plots = new Map(); // title -> its card

  // Small things

  const pad = (value) => String(value).padStart(2, "0");
  function clock(seconds) {
    const at = new Date(seconds * 1000);
    return pad(at.getHours()) + ":" + pad(at.getMinutes()) + ":" + pad(at.getSeconds());
  }
  function day(seconds) {
    const at = new Date(seconds * 1000);
    return at.getFullYear() + "-" + pad(at.getMonth() + 1) + "-" + pad(at.getDate()) + " " + clock(seconds).slice(0, 5);
  }
  function span(seconds) {
    const whole = Math.max(0, Math.round(seconds)), minutes = Math.floor(whole / 60);
    if (minutes >= 60) return Math.floor(minutes / 60) + " h " + pad(minutes % 60) + " min";
    return minutes ? minutes + " min " + pad(whole % 60) + " s" : whole + " s";
  }
  const ROLES = { completed: "completed", failed: "failed", stopped: "stopped", stopping: "stopped" };
  function badge(target, of) {
    target.textContent = visible(of.status);
    target.className = "status s-" + (of.doubt ? "stopped" : ROLES[of.state] || "inprogress");
  }
  const KINDS = { bedrock: "Bedrock", openai: "OpenAI-shaped", run: "rft run" };
  const path = (rest) => "/console/jobs/" + encodeURIComponent(chosen) + rest;

  // Asking the server

  async function get(url) {
    const reply = await fetch(url);
    if (reply.status === 403) { location.reload(); return new Promise(() => {}); } // a new server: sign in
    if (!reply.ok) throw new Error((await reply.json()).error);
    return reply.text();
  }
  function post(url, body, signal) {
    const headers = { "content-type": "application/json", "x-rft-console": "1" };
    return fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal });
  }
  function complain(text) {
    $("trouble").hidden = !text;
    $("trouble").textContent = visible(text || "");
  }
  async function tick() {
    clearTimeout(timer);
    try {
      const text = await get("/console/jobs");
      if (isLate) { isLate = false; complain(""); }
      if (text !== listed) { listed = text; jobs = JSON.parse(text).jobs; }
      if (!jobs.some((each) => each.id === chosen)) choose(jobs.length ? jobs[0].id : null);
      showList();
      await follow();
    } catch (error) {
      isLate = true;
      complain("The server does not answer as it should, so what is below may be old. (" + error.message + ")");
    }
    document.documentElement.dataset.ready = "1";
    timer = setTimeout(tick, jobs.every((each) => each.has_ended) ? RESTING_MS : EVERY_MS);
  }
  async function follow() {
    if (chosen === null) return;
    const wanted = chosen, text = await get(path(""));
    if (wanted !== chosen) return; // another was chosen meanwhile
    if (text === known) { facts(); return; } // only the time went on
    known = text;
    job = JSON.parse(text);
    showJob();
  }

  // The list

  function choose(id) {
    if (id === chosen) return;
    chosen = id;
    known = "";
    job = null;
    if (id !== null && location.hash !== "#" + id) history.replaceState(null, "", "#" + id);
    $("job").hidden = true;
    forget();
  }
  function showList() {
    const target = $("jobs"), focused = target.contains(document.activeElement);
    $("none").hidden = jobs.length > 0;
    if (target.dataset.shown === listed + chosen) return;
    target.dataset.shown = listed + chosen;
    target.textContent = "";
    for (const each of jobs) {
      const item = element("li"), button = element("button"), status = element("span");
      button.type = "button";
      button.setAttribute("aria-current", String(each.id === chosen));
      badge(status, each);
      const base = each.base === each.name ? null : each.base, id = each.id === each.name ? null : each.id.slice(0, 12);
      const about = [KINDS[each.kind], base, id, each.created === null ? null : day(each.created)];
      button.append(element("span", "who", visible(each.name)), status, element("small", "", visible(about.filter((part) => part !== null).join(", "))));
      if (each.doubt) button.append(element("small", "doubt", visible(each.doubt)));
      button.addEventListener("click", () => { choose(each.id); tick(); });
      item.append(button);
      target.append(item);
      if (focused && each.id === chosen) button.focus();
    }
    if (!jobs.length) target.append(element("li", "empty", "none so far"));
  }

  // One job

  function showJob() {
    const isOld = !$("job").hidden;
    $("job").hidden = false;
    $("name").textContent = visible(job.name);
    badge($("status"), job);
    const stop = $("stop");
    stop.hidden = job.has_ended || job.kind === "run";
    stop.disabled = job.state === "stopping";
    if (Date.now() > sureUntil) { stop.className = ""; stop.textContent = job.state === "stopping" ? "Stopping after this step" : "Stop"; }
    $("report").hidden = !job.has_report;
    $("report").href = path("/report");
    facts();
    phases();
    words("failure", job.failure);
    words("damage", job.trouble);
    $("remarks").hidden = !job.remarks.length;
    $("remarks").querySelector("h3").textContent = job.kind === "run" ? "Remarks" : "What is different here from your request";
    fill($("remarks").querySelector("ul"), job.remarks.map((remark) => element("li", "", visible(remark))));
    verdicts();
    graphs();
    events();
    checkpoints();
    offers(isOld);
  }
  function fill(target, children) {
    const top = target.scrollTop;
    target.replaceChildren(...children);
    target.scrollTop = top;
  }
  function words(id, text) {
    $(id).hidden = !text;
    $(id).querySelector("pre").textContent = visible(text || "");
  }
  function facts() {
    const total = job.total === null || job.total === undefined ? null : job.total;
    const capped = total !== null && job.planned > total ? ", of " + number(job.planned) + " that the request asks for" : "";
    const end = job.ended || Date.now() / 1000;
    const found = [
      ["step", total === null ? (job.step ? number(job.step) : null) : number(job.step) + " of " + number(total) + capped],
      ["trains", job.stand_in],
      ["stands in for", job.base],
      [job.kind === "run" ? "made by" : "API", KINDS[job.kind]],
      ["created", job.created === null ? null : day(job.created)],
      [job.ended ? "took" : "running for", job.started && (job.ended || !job.has_ended) ? span(end - job.started) : null],
      [job.kind === "run" ? "folder" : "id", job.shown_id],
      [job.kind === "bedrock" ? "deploy the model" : "call the model", job.model],
    ];
    fill($("facts"), found.filter(([, value]) => value).map(([name, value]) => {
      const made = element("div");
      made.append(element("dt", "", name), element("dd", ["id", "folder"].includes(name) || name.endsWith("the model") ? "mono" : "", visible(value)));
      return made;
    }));
  }
  function phases() {
    fill($("phases"), job.phases.map(({ title, status }) => {
      const made = element("li", "p-" + status.toLowerCase());
      made.append(element("b", "", title), status.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase());
      return made;
    }));
  }

  // What the checks of the report found

  function verdicts() {
    const count = (severity) => job.verdicts.filter((each) => each.severity === severity).length;
    const grave = ["problem", "warning", "note"].filter(count);
    $("verdict").hidden = !grave.length;
    $("verdict").textContent = grave.map((severity) => count(severity) + " " + severity + (count(severity) > 1 ? "s" : "")).join(", ");
    $("verdict").className = "status v-" + grave[0];
    $("verdicts").hidden = !grave.length;
    fill($("verdicts").querySelector("div"), job.verdicts.map(Curves.verdict));
  }

  // Curves: the report's cards and the console's six titles

  function card(graph) {
    if (plots.has(graph.title)) return plots.get(graph.title);
    const entry = { ...Curves.card(graph), drawn: false };
    entry.made.append(entry.plot);
    $("graphs").append(entry.made);
    plots.set(graph.title, entry);
    return entry;
  }
  function graphs() {
    const isBare = job.has_ended && job.graphs.every((graph) => !graph.series.length);
    $("graphs").hidden = isBare;
    $("no-step").hidden = !isBare;
    if (isBare) return;
    for (const graph of job.graphs) {
      const entry = card(graph), series = graph.series[0];
      entry.reading.textContent = "";
      if (series) {
        const last = series.steps.length - 1;
        entry.reading.append(element("b", "", number(series.values[last])), (graph.unit ? " " + graph.unit : "") + ", step " + series.steps[last]);
      }
      draw(entry, graph, series);
    }
  }
  function draw(entry, graph, series) {
    if (!window.Plotly || !series) {
      if (entry.drawn) Plotly.purge(entry.plot);
      entry.drawn = false;
      entry.plot.className = "plot empty";
      entry.plot.textContent = series ? "" : job.has_ended ? "no values" : "no values yet";
      return;
    }
    if (!entry.drawn) { entry.plot.textContent = ""; entry.plot.className = "plot"; }
    entry.drawn = true;
    const trace = { ...Curves.line(graph, series, "--s1"), hovertemplate: "%{y:.4g}<extra></extra>" };
    Plotly.react(entry.plot, [trace], Curves.layout(graph, job.step), Curves.CONFIG);
  }

  // Events and checkpoints

  function row(at, className, says, code) {
    const made = element("li", className), time = element("time", "", at === null ? "" : clock(at));
    if (at !== null) time.title = day(at);
    const text = element("span", "says", visible(says));
    if (code) text.append(element("code", "", visible(code)));
    made.append(time, text);
    return made;
  }
  function events() {
    const made = job.events.map((event) => row(event.at, ["warn", "error"].includes(event.level) ? "l-" + event.level : "", event.message + (event.reward === null ? "" : ", reward " + number(event.reward))));
    if (job.events_left) made.push(element("li", "empty", number(job.events_left) + " older ones stand in the run folder, events.jsonl"));
    if (!made.length) made.push(element("li", "empty", job.has_ended ? "none" : "nothing has happened yet"));
    fill($("events"), made);
  }
  function checkpoints() {
    const made = job.checkpoints.map((each) => {
      const rewards = [["training reward", each.reward], ["validation reward", each.validation]].filter(([, value]) => value !== null && value !== undefined);
      return row(each.at, "", "Step " + each.step + rewards.map(([name, value]) => ", " + name + " " + number(value)).join(""), each.model);
    });
    if (!made.length) made.push(element("li", "empty", job.has_ended ? "none" : "none yet"));
    fill($("checkpoints"), made);
  }

  // Stopping

  async function stop() {
    const button = $("stop");
    if (Date.now() > sureUntil) {
      sureUntil = Date.now() + 4000;
      button.className = "sure";
      button.textContent = "Really stop after this step?";
      setTimeout(() => { if (Date.now() >= sureUntil && job) showJob(); }, 4050);
      return;
    }
    sureUntil = 0;
    button.disabled = true;
    try {
      const reply = await post(path("/stop"), {});
      if (!reply.ok) complain("The job can't be stopped: " + (await reply.json()).error);
    } catch (error) { complain("The job can't be stopped: " + error.message); }
    tick();
  }

  // The playground

  function forget() {
    asking?.abort();
    for (const id of ["answer-base", "answer-tuned"]) answered(id, "", "");
    $("prompt").value = $("system").value = "";
    $("system-box").open = false;
    $("reference").hidden = true;
    $("asked").textContent = "";
    $("example-field").hidden = true;
    sureUntil = 0;
  }
  async function offers(isOld) {
    const select = $("tuned"), before = isOld ? select.value : "";
    const ids = job.models.map((each) => each.id);
    if (select.dataset.ids !== job.id + ids) {
      select.dataset.ids = job.id + ids;
      select.replaceChildren(...job.models.map(({ id, label }) => new Option(label, id)));
      if (!ids.length) select.append(new Option(job.has_ended ? "none was made" : "no checkpoint yet", ""));
      if (ids.includes(before)) select.value = before;
    }
    if (!asking) $("ask").textContent = ids.length ? "Ask both" : "Ask the base model";
    if (isOld) return;
    $("tokens").value = job.max_tokens || 96;
    titles();
    const of = job.id;
    const found = await get(path("/examples")).then((text) => JSON.parse(text).examples, () => []);
    if (of !== chosen || !found.length) return;
    const choices = found.map((each, index) => new Option(visible(each.prompt).slice(0, 70), index));
    $("example").replaceChildren(new Option("choose one", ""), ...choices);
    $("example").onchange = () => {
      const taken = found[$("example").value];
      if (!taken) return;
      $("prompt").value = taken.prompt;
      $("system").value = taken.system;
      $("system-box").open = Boolean(taken.system);
      $("reference").hidden = taken.reference === null;
      $("reference").textContent = "Reference answer: " + visible(taken.reference) + (taken.set === "validation" ? "" : " (a training prompt)");
    };
    $("example-field").hidden = false;
  }
  function titles() {
    const label = $("tuned").selectedOptions[0]?.textContent || "";
    $("answer-base").querySelector("h3").textContent = "Base model" + (job.stand_in ? ": " + visible(job.stand_in) : "");
    $("answer-tuned").querySelector("h3").textContent = $("tuned").value ? label[0].toUpperCase() + label.slice(1) : "No tuned model" + (job.has_ended ? "" : " yet");
  }
  function answered(id, text, note, isWrong) {
    $(id).querySelector("pre").textContent = visible(text);
    const line = $(id).querySelector("p");
    line.textContent = visible(note);
    line.classList.toggle("wrong", Boolean(isWrong));
  }
  const STOPS = { length: "cut off at the limit", stop: "ended by itself", stop_sequence: "ended by a stop text" };
  async function ask(id, question, signal) {
    let text = "", rest = "", isOver = false;
    answered(id, "", "waiting for the model ...");
    try {
      const reply = await post(path("/ask"), question, signal);
      if (!reply.ok) throw new Error((await reply.json()).error);
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines.map((each) => JSON.parse(each))) {
          if (line.error) throw new Error(line.error);
          if (line.piece !== undefined) { text += line.piece; answered(id, text, "writing ..."); }
          if (line.answered) {
            isOver = true;
            answered(id, line.answered.text || "(empty)", line.answered.tokens + " tokens, " + STOPS[line.answered.stop]);
          }
        }
      }
      if (!isOver) throw new Error("the answer broke off");
    } catch (error) {
      if (!signal.aborted) answered(id, text, error.message, true);
    }
  }
  async function askBoth(event) {
    event.preventDefault();
    if (asking) { asking.abort(); return; }
    const question = { prompt: $("prompt").value, system: $("system").value, max_tokens: Number($("tokens").value), sampled: Boolean(document.querySelector("input[name=sampled]:checked").value) };
    if (!question.prompt.trim()) { $("asked").textContent = "There is nothing to ask yet."; $("prompt").focus(); return; }
    const tuned = $("tuned").value, mine = asking = new AbortController();
    titles();
    $("asked").textContent = "The first answer of a model takes a few seconds.";
    $("ask").textContent = "Stop asking";
    const both = [ask("answer-base", { ...question, model: "base" }, mine.signal)];
    if (tuned) both.push(ask("answer-tuned", { ...question, model: tuned }, mine.signal));
    else answered("answer-tuned", "", "");
    await Promise.all(both);
    if (mine.signal.aborted) for (const id of ["answer-base", "answer-tuned"]) $(id).querySelector("p").textContent = "";
    $("asked").textContent = "";
    asking = null;
    $("ask").textContent = tuned ? "Ask both" : "Ask the base model";
  }

  // Begin

  const again = () => { if (job) graphs(); };
  $("exports").textContent = "export AWS_ENDPOINT_URL=" + location.origin + "\nexport OPENAI_BASE_URL=" + location.origin + "/v1";
  $("stop").addEventListener("click", stop);
  $("playground").addEventListener("submit", askBoth);
  $("tuned").addEventListener("change", titles);
  $("prompt").addEventListener("input", () => { $("reference").hidden = true; });
  $("plotly").addEventListener("load", again);
  $("plotly").addEventListener("error", () => { $("undrawn").hidden = false; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("hashchange", () => { choose(location.hash.slice(1)); tick(); });
  if (location.hash.startsWith("#token=")) history.replaceState(null, "", location.pathname);  // signed in already
  chosen = location.hash.slice(1) || null;
  tick();
})();
