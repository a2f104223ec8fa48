"use strict";
/* The page of one sweep.  Texts come from a recipe and are shown as text; it makes no request. */
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const NARROW = 500; // pixels: under it the names of axes stand upright, else they would cover each other
  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }
  function base(height) {
    return {
      height, autosize: true, showlegend: false, dragmode: false, margin: { l: 56, r: 30, t: 16, b: 44 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12 },
    };
  }
  function card(title) {
    const article = document.createElement("article");
    article.className = "plot-card";
    const heading = document.createElement("h3");
    heading.textContent = title;
    const plot = document.createElement("div");
    plot.className = "plot tall";
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", title);
    article.append(heading, plot);
    return { article, plot };
  }
  function number(value) {
    if (typeof value !== "number") return String(value);
    const size = Math.abs(value);
    return value !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(1).replace(".0e", "e") : String(Number(value.toPrecision(4)));
  }
  function effects(graph, plot) {
    const known = graph.reach.map((reach) => reach === null ? 0 : reach);
    Plotly.newPlot(plot, [{
      type: "scatter", mode: "lines+markers", x: graph.levels.map(safe), y: graph.values,
      line: { color: style("--s1"), width: 1.5, dash: "dot" }, marker: { size: 9, color: style("--s1") },
      error_y: { type: "data", array: known, color: style("--s1"), thickness: 1.5, width: 5 },
      text: graph.reach.map((reach) => reach === null ? "no interval" : "\u00b1 " + reach.toFixed(3)),
      hovertemplate: "%{x}: %{y:+.3f} (%{text})<extra></extra>",
    }], {
      ...base(250),
      xaxis: { type: "category", fixedrange: true, showgrid: false, zeroline: false },
      yaxis: { fixedrange: true, zeroline: true, nticks: 6, tickformat: "+.2f", automargin: true },
    }, CONFIG);
  }
  // A search: every finished setting, its value on the axis against its result.
  function cloud(index, plot) {
    const values = data.lines.map((line) => line.values[index]);
    const numbers = values.every((value) => typeof value === "number");
    const sorted = numbers ? [...values].sort((a, b) => a - b) : [];
    const log = numbers && sorted[0] > 0 && sorted[sorted.length - 1] / sorted[0] > 10;
    Plotly.newPlot(plot, [{
      type: "scatter", mode: "markers", x: numbers ? values : values.map(safe), y: data.lines.map((line) => line.mean),
      marker: { size: 9, color: style("--s1"), opacity: 0.8 }, text: data.lines.map((line) => safe(line.name)),
      hovertemplate: "%{text}: %{y:.3f}<extra></extra>",
    }], {
      ...base(250),
      xaxis: { type: numbers ? (log ? "log" : "linear") : "category", exponentformat: "e", fixedrange: true, showgrid: false, zeroline: false },
      yaxis: { fixedrange: true, zeroline: false, nticks: 6, tickformat: ".2f", automargin: true },
    }, CONFIG);
  }
  function axes() {
    // All cards stand before the first is drawn, so that each knows its width.
    const cards = data.axes.map((name) => { const made = card(name); $("effects").append(made.article); return made; });
    cards.forEach(({ article, plot }, index) => {
      if (data.effects.length) effects(data.effects[index], plot);
      else if (data.lines.length) cloud(index, plot);
      else article.remove();
    });
  }
  // Places from 0 to 1 on one coordinate, and the marks to write beside it.
  function coordinate(values) {
    const numbers = values.every((value) => typeof value === "number");
    const unique = [...new Set(values)].sort(numbers ? (a, b) => a - b : undefined);
    if (!numbers || unique.length < 3 || unique.length <= 6) {
      const at = (value) => unique.length === 1 ? 0.5 : unique.indexOf(value) / (unique.length - 1);
      return { at, marks: unique.map((value) => [at(value), number(value)]) };
    }
    const log = unique[0] > 0 && unique[unique.length - 1] / unique[0] > 50;
    const scaled = (value) => log ? Math.log(value) : value;
    const low = scaled(unique[0]), high = scaled(unique[unique.length - 1]);
    const at = (value) => (scaled(value) - low) / (high - low);
    const back = (share) => log ? Math.exp(low + share * (high - low)) : low + share * (high - low);
    return { at, marks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, number(Number(back(share).toPrecision(2)))]) };
  }
  function parallel() {
    if (data.lines.length === 0) return;
    const means = data.lines.map((line) => line.mean);
    const columns = data.axes.map((_, index) => coordinate(data.lines.map((line) => line.values[index])));
    const low = Math.min(...means), high = Math.max(...means);
    const last = (mean) => high > low ? (mean - low) / (high - low) : 0.5;
    const end = { at: last, marks: [[last(low), low.toFixed(3)], [last(high), high.toFixed(3)]] };
    const all = [...columns, end];
    const order = [...data.lines].sort((a, b) => a.mean - b.mean);
    const rows = order.map((line) => {
      const share = last(line.mean);
      return {
        type: "scatter", mode: "lines+markers", x: all.map((_, index) => index),
        y: [...line.values.map((value, index) => columns[index].at(value)), share],
        line: { width: 1.5 + 1.5 * share, color: style(share > 0.66 ? "--s3" : share > 0.33 ? "--s1" : "--s5"), shape: "spline", smoothing: 0.5 },
        marker: { size: 6 }, opacity: 0.45 + 0.5 * share,
        hovertemplate: safe(line.name) + ": " + line.mean.toFixed(3) + "<extra></extra>",
      };
    });
    const marks = all.flatMap((column, index) => column.marks.map(([y, text]) => ({
      x: index, y, text: safe(text), showarrow: false, xanchor: "left", xshift: 6, yshift: 9, font: { size: 11 },
    })));
    const narrow = $("parallel").clientWidth < NARROW;
    Plotly.newPlot($("parallel"), rows, {
      ...base(narrow ? 480 : 380), annotations: marks, hovermode: "closest",
      shapes: all.map((_, index) => ({ type: "line", x0: index, x1: index, y0: 0, y1: 1, line: { width: 1, color: style("--soft") } })),
      xaxis: { tickvals: all.map((_, index) => index), ticktext: [...data.axes.map(safe), data.metric], tickangle: narrow ? 90 : 0, automargin: true, fixedrange: true, showgrid: false, zeroline: false, range: [-0.15, all.length - 0.6] },
      yaxis: { visible: false, fixedrange: true, range: [-0.06, 1.1] },
    }, CONFIG);
  }
  async function begin() {
    const packed = $("plotly").textContent;
    if (!packed) return; // made where plotly is not installed: the tables hold every number
    const library = document.createElement("script");
    library.textContent = await unpack(packed);
    document.head.append(library);
    parallel();
    axes();
    document.documentElement.dataset.ready = "yes";
  }
  begin();
})();
