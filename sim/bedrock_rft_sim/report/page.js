"use strict";
/* The page of one run.  It makes no network requests, except that a page served by `rft report --watch` asks its own
   server for what is new. */
(() => {
  const { $, visible, element, number } = Curves; // of curves.js, which comes before
  const COLORS = ["--s1", "--s2", "--s3", "--s4", "--s5", "--s6"];
  const SHOWN = 200; // answers in the list at once
  let data = JSON.parse($("data").textContent);
  let step = data.step;
  let smoothing = 0;
  let follows = true; // the slider stands at the end and goes with the run
  let kind = "train", order = "surprising";
  let shown = null; // the batch in the browser
  let chosen = null; // "batch id/sample id" of the open answer
  const batches = new Map(); // id -> promise of the unpacked batch
  const plots = [];

  // Small things

  async function unpack(base64) {
    const binary = atob(base64), bytes = new Uint8Array(binary.length);
    for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }
  // plotly.js reads a small kind of HTML in names
  const plain = (text) => visible(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const colorName = (index) => COLORS[index % COLORS.length];

  // Graphs

  function smooth(values, weight) {
    let last = 0, norm = 0;
    return values.map((value) => {
      last = last * weight + (1 - weight) * value;
      norm = norm * weight + (1 - weight);
      return last / norm;
    });
  }
  function traces(graph) {
    const found = [];
    graph.series.forEach((series, index) => {
      const smoothed = smoothing > 0 && !graph.sparse && series.values.length > 2;
      const base = { ...Curves.line(graph, series, colorName(index)), name: plain(series.name) };
      if (smoothed) found.push({ ...base, line: { ...base.line, width: 1 }, opacity: 0.3, hoverinfo: "skip" });
      found.push({ ...base, y: smoothed ? smooth(series.values, smoothing) : series.values, hovertemplate: "%{y:.4g}" + (graph.series.length > 1 ? " %{fullData.name}" : "") + (smoothed ? " smoothed" : "") + "<extra></extra>" });
    });
    return found;
  }
  function makePlot(graph, parent) {
    const { made, reading, plot } = Curves.card(graph);
    const holder = element("div", "holder"), marker = element("div", "marker");
    holder.append(plot, marker);
    made.append(holder);
    parent.append(made);
    return { title: graph.title, graph, plot, marker, reading };
  }
  function draw(entry) {
    const empty = entry.graph.series.length === 0;
    entry.plot.classList.toggle("empty", empty);
    entry.marker.hidden = empty;
    if (empty) { entry.plot.textContent = "no values"; return; }
    if (!entry.drawn) entry.plot.textContent = "";
    Plotly.react(entry.plot, traces(entry.graph), Curves.layout(entry.graph, data.step, data.band_words, data.floor_words), Curves.CONFIG);
    if (!entry.drawn) entry.plot.on("plotly_click", (event) => setStep(Math.round(event.points[0].x)));
    entry.drawn = true;
  }
  function drawAll() {
    readings();
    plots.filter((entry) => entry.graph.console).forEach(draw);
    // The others one by one, so that the page answers in between.
    const rest = plots.filter((entry) => !entry.graph.console);
    const next = () => { const entry = rest.shift(); if (entry) { draw(entry); setTimeout(next); } };
    setTimeout(next);
  }
  function updateGraphs() {
    for (const graph of data.graphs) {
      const known = plots.find((entry) => entry.title === graph.title);
      if (known) known.graph = graph;
      else plots.push(makePlot(graph, $(graph.console ? "console-graphs" : "local-graphs")));
    }
    $("local-title").hidden = !data.graphs.some((graph) => !graph.console);
  }
  function readings() {
    const last = Math.max(data.step, 1);
    for (const { graph, reading, marker } of plots) {
      marker.style.left = "calc(44px + " + step / last + " * (100% - 54px))";
      reading.textContent = "";
      graph.series.forEach((series, index) => {
        let at = -1;
        while (at + 1 < series.steps.length && series.steps[at + 1] <= step) at += 1;
        if (at < 0) return;
        const item = element("span", graph.series.length > 1 ? "key" : "");
        item.style.setProperty("--k", "var(" + colorName(index) + ")");
        item.append(element("b", "", number(series.values[at])));
        const unit = graph.series.length > 1 ? " " + visible(series.name) : graph.console && graph.unit ? " " + graph.unit : "";
        item.append(unit + (series.steps[at] === step ? "" : " (step " + series.steps[at] + ")"));
        reading.append(item);
      });
    }
  }

  // The step

  function setStep(value) {
    step = Math.min(Math.max(0, value), data.step);
    follows = step === data.step;
    showStep();
    browse();
  }
  function showStep() {
    const slider = $("step");
    slider.max = data.step;
    slider.value = step;
    $("step-shown").textContent = step + " / " + data.total;
    readings();
  }

  // The answers

  function batchAt(wanted) {
    const of = data.batches.filter((batch) => batch.kind === kind);
    return of.filter((batch) => batch.step <= wanted).pop() || of[0] || null;
  }
  function load(batch) {
    const key = batch.id + "/" + batch.answers;
    if (!batches.has(key)) {
      const embedded = $("batch-" + batch.id);
      const packed = embedded ? Promise.resolve(embedded.textContent) : fetch("batch/" + batch.id).then((reply) => { if (!reply.ok) throw new Error("HTTP " + reply.status); return reply.text(); });
      const loaded = packed.then(unpack).then(JSON.parse);
      loaded.catch(() => batches.delete(key));
      batches.set(key, loaded);
    }
    return batches.get(key);
  }
  async function browse() {
    $("browser").hidden = data.batches.length === 0;
    const batch = batchAt(step);
    if (!batch) { $("list").textContent = ""; $("group").textContent = ""; $("batch-note").textContent = "No answers of this set."; return; }
    let content;
    try { content = await load(batch); } catch { $("batch-note").textContent = "These answers can't be read here any more; report.html in the run folder has them."; return; }
    if (batchAt(step) !== batch && batchAt(step)?.id !== batch.id) return; // the slider went on
    shown = { batch, content };
    const left = batch.answers - batch.kept;
    const where = (kind === "train" ? "rollouts" : "validation") + "/step-" + String(batch.step).padStart(6, "0") + ".jsonl";
    $("batch-note").textContent = (kind === "train" ? "Step " + batch.step : "Validation after step " + batch.step) + ": " +
      (left ? batch.kept + " of " + batch.answers + " answers, whole groups: those of the best, the worst and the most surprising, and a seeded sample. All are in " + where + "." : batch.answers + " answers, all of them here.");
    list();
  }
  const perToken = (row) => (row.logprob || 0) / Math.max(1, row.tokens);
  const ORDERS = {
    surprising: (a, b) => Math.abs(b.row.advantage || 0) - Math.abs(a.row.advantage || 0) || perToken(a.row) - perToken(b.row),
    best: (a, b) => b.row.grade - a.row.grade || (b.row.advantage || 0) - (a.row.advantage || 0),
    worst: (a, b) => a.row.grade - b.row.grade || (a.row.advantage || 0) - (b.row.advantage || 0),
    sampled: () => 0,
  };
  const KEPT = {
    any: () => true,
    positive: (row) => row.grade > 0,
    zero: (row) => row.grade <= 0,
    cut: (row) => row.stop === "length",
    unread: (row) => row.components.some(([name, value, type]) => name === "answer_found" && type === "Metric" && value === 0),
  };
  function gradeClass(grade) {
    const grades = shown.content.groups.flatMap((group) => group.rows.map((row) => row.grade));
    const top = Math.max(...grades, 1), bottom = Math.min(...grades, 0);
    const share = (grade - bottom) / (top - bottom);
    return { share, name: share > 0.75 ? "high" : share < 0.25 ? "low" : "mid" };
  }
  function list() {
    if (!shown) return;
    const words = $("filter").value.toLowerCase(), keep = KEPT[$("grade").value];
    const all = shown.content.groups.flatMap((group) => group.rows.map((row) => ({ group, row })));
    const found = all.filter(({ group, row }) => keep(row) && (!words || row.text.toLowerCase().includes(words) || group.prompt.toLowerCase().includes(words))).sort(ORDERS[order]);
    const target = $("list");
    target.textContent = "";
    for (const { group, row } of found.slice(0, SHOWN)) {
      const item = element("li"), button = element("button");
      button.type = "button";
      button.dataset.key = shown.batch.id + "/" + row.id;
      button.append(element("span", "grade " + gradeClass(row.grade).name, number(row.grade)));
      button.append(element("span", "snippet", visible(row.text.slice(0, 240)) || "(empty)"));
      button.append(element("small", "", visible(group.prompt) + (row.advantage ? ", advantage " + number(row.advantage) : "")));
      button.addEventListener("click", () => open(group, row));
      item.append(button);
      target.append(item);
    }
    if (!found.length) target.append(element("li", "empty", "no answer passes the filter"));
    const kept = found.find(({ row }) => shown.batch.id + "/" + row.id === chosen) || found[0];
    if (kept) open(kept.group, kept.row); else $("group").textContent = "";
  }
  function open(group, row) {
    chosen = shown.batch.id + "/" + row.id;
    for (const button of $("list").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.key === chosen));
    const target = $("group");
    const eventOpen = target.querySelector("details.events")?.open;
    target.textContent = "";
    target.append(element("h3", "", visible(group.prompt)));
    for (const [role, text] of group.messages || []) target.append(element("p", "role", visible(role)), element("pre", "", visible(text)));
    if (!group.messages) target.append(element("p", "fine", "The prompt is not in this run folder."));
    if (group.reference) target.append(element("p", "role", "reference answer"), element("pre", "", visible(group.reference)));
    target.append(element("h3", "", group.rows.length > 1 ? "The group's " + group.rows.length + " answers" : "The answer"));
    for (const each of group.rows) target.append(sibling(each, each === row));
    target.append(events(group, row, eventOpen));
  }
  function sibling(row, isChosen) {
    const made = element("div", "sibling" + (isChosen ? " chosen" : "")), head = element("header");
    const grade = gradeClass(row.grade);
    head.append(element("span", "grade " + grade.name, number(row.grade)), element("span", "", "sample " + row.sample), element("span", "", row.tokens + " tokens" + (row.stop === "length" ? ", truncated" : "")));
    if (row.advantage !== null) head.append(element("span", "", "advantage " + number(row.advantage)));
    if (row.entropy !== null) head.append(element("span", "", "entropy " + number(row.entropy)));
    if (row.logprob !== null) head.append(element("span", "", "log-prob " + number(row.logprob)));
    const bar = element("div", "bar"), fill = element("i");
    fill.style.width = 100 * grade.share + "%";
    bar.append(fill);
    const chips = element("div", "chips");
    for (const [name, value, type] of row.components) chips.append(element("span", "tag", visible(name) + " " + number(value) + (type === "Reward" ? "" : " (" + visible(type.toLowerCase()) + ")")));
    made.append(head, bar, chips, element("pre", "", visible(row.text) || "(empty)"));
    return made;
  }
  const encoded = (text) => JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  function entry(group, row) {
    return group.event[0] + encoded(row.id) + group.event[1] + encoded(row.text) + group.event[2];
  }
  function eventText(group, rows) {
    return "[\n" + rows.map((row) => entry(group, row)).join(",\n") + "\n]\n";
  }
  function events(group, row, isOpen) {
    const made = element("details", "quiet events");
    made.open = Boolean(isOpen);
    made.append(element("summary", "", "The Lambda event"));
    if (!group.event || group.rows.some((each) => each.cut)) {
      made.append(element("p", "fine", group.event ? "An answer of this group is shortened in this page, so the event would not be the one that was sent." : "The prompt is not in this run folder, so the event can't be rebuilt."));
      return made;
    }
    const text = element("pre", "event"), buttons = element("div", "buttons");
    let current = "";
    const show = (rows) => { current = eventText(group, rows); text.textContent = current; };
    const add = (label, act) => { const button = element("button", "", label); button.type = "button"; button.addEventListener("click", () => act(button)); buttons.append(button); };
    add("this answer", () => show([row]));
    if (group.rows.length > 1) add("the whole group", () => show(group.rows));
    add("copy", (button) => copy(current, button));
    show([row]);
    made.append(buttons, text, element("p", "fine", "What the handler was sent for " + "this answer or group, key for key; a real event held up to " + (data.per_event || "?") + " answers of the step in one list."));
    return made;
  }
  async function copy(text, button) {
    const label = "copy";
    try { await navigator.clipboard.writeText(text); button.textContent = "copied"; } catch {
      const area = element("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      button.textContent = document.execCommand("copy") ? "copied" : "can't copy here";
      area.remove();
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  }

  // A page that follows its run

  function showVerdicts() {
    $("headline").textContent = data.headline;
    const target = $("verdicts"), quiet = $("quiet").tBodies[0];
    target.textContent = "";
    quiet.textContent = "";
    for (const verdict of data.verdicts) {
      if (["problem", "warning", "note"].includes(verdict.severity)) {
        target.append(Curves.verdict(verdict));
      } else {
        const row = quiet.insertRow();
        row.append(element("th", "", verdict.rule), element("td", "word", verdict.severity === "clear" ? "found nothing" : "can't tell"), element("td", "", verdict.says));
      }
    }
  }
  async function poll() {
    let next;
    try {
      const reply = await fetch("data.json?step=" + data.step);
      if (!reply.ok) throw new Error("HTTP " + reply.status);
      next = await reply.json();
    } catch { status(data.status + ", not followed any more"); return; }
    const isNew = next.step !== data.step || next.status !== data.status;
    data = { ...next, live: next.live };
    if (isNew) {
      if (follows || step > data.step) step = data.step;
      status(data.status);
      showVerdicts();
      updateGraphs();
      drawAll();
      showStep();
      if (follows) await browse();
    }
    // The server goes away soon after the run, so the rest of the answers is fetched now.
    if (!data.live) for (const batch of data.batches) await load(batch).catch(() => undefined);
    if (data.live) setTimeout(poll, data.every_ms);
  }
  function status(text) {
    $("status").textContent = text;
    $("status").className = "status s-" + data.status.toLowerCase().replace(/[^a-z]/g, "");
  }

  // Begin

  function listen() {
    $("step").addEventListener("input", (event) => setStep(Number(event.target.value)));
    $("smoothing").addEventListener("change", (event) => { smoothing = Number(event.target.value); drawAll(); });
    $("kind").addEventListener("change", (event) => { kind = event.target.value; browse(); });
    $("order").addEventListener("change", (event) => { order = event.target.value; chosen = null; list(); });
    $("filter").addEventListener("input", list);
    $("grade").addEventListener("change", list);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  }
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  async function begin() {
    $("controls").hidden = false;
    listen();
    showStep();
    const packed = $("plotly").textContent;
    const unpacking = packed && unpack(packed);
    await browse();
    if (!packed) return; // made where plotly is not installed: the drawn graphs stay
    updateGraphs();
    readings();
    await painted(); // starting the library takes longer than all the rest, so it comes last
    const library = element("script");
    library.textContent = await unpacking;
    document.head.append(library);
    document.documentElement.classList.add("js");
    drawAll();
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
    if (data.live) setTimeout(poll, data.every_ms);
  }
  begin();
})();
