"use strict";
/* What the page of a run and the console share: how texts and numbers are shown, the card of a
   verdict and of a curve, a curve's line and axes.  Texts become text nodes only, hidden characters
   made visible. */
const Curves = (() => {
  const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  const WHOLE_STEPS = 6; // up to here every step has its tick; plotly's own would fall between steps
  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };

  const $ = (id) => document.getElementById(id);
  function visible(text) {
    return String(text).replace(HIDDEN, (c) => {
      const code = c.charCodeAt(0);
      if (code < 32) return String.fromCharCode(0x2400 + code);
      return code === 127 ? "\u2421" : "[U+" + code.toString(16).toUpperCase().padStart(4, "0") + "]";
    });
  }
  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function number(value) {
    if (value === null || value === undefined) return "\u2013";
    const size = Math.abs(value);
    if (value !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2);
    if (Number.isInteger(value)) return value.toLocaleString("en");
    if (size >= 1000) return Math.round(value).toLocaleString("en");
    return value.toFixed(size < 10 ? 3 : 1);
  }
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A card with its title and a place for readings; the caller puts the plot where it wants it.
  function card(graph) {
    const made = element("article", "plot-card"), title = element("h3", "", graph.title);
    const reading = element("p", "reading"), plot = element("div", "plot");
    title.title = graph.definition + (graph.unit ? " (" + graph.unit + ")" : "");
    if (graph.console === false && graph.unit) title.append(" ", element("span", "unit", graph.unit));
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", graph.title);
    made.append(title, reading);
    return { made, reading, plot };
  }
  function verdict({ severity, rule, says, remedy }) {
    const made = element("article", "verdict v-" + severity), title = element("h3");
    title.append(element("span", "badge", severity), " " + rule);
    made.append(title, element("p", "", visible(says)));
    if (remedy) made.append(element("p", "remedy", visible(remedy)));
    return made;
  }
  function line(graph, series, name) {
    const isMarked = graph.sparse || series.values.length === 1;
    return { x: series.steps, y: series.values, type: "scatter", mode: isMarked ? "lines+markers" : "lines", cliponaxis: false, marker: { size: 6, color: color(name) }, line: { color: color(name), width: 2 } };
  }
  function layout(graph, lastStep, bandWords, floorWords) {
    const quiet = { fixedrange: true, zeroline: false, ticklen: 3, tickcolor: "rgba(0,0,0,0)" };
    const [low, high] = graph.band || [];
    const shapes = [], annotations = [], words = { xref: "paper", showarrow: false };
    if (graph.band) {
      shapes.push({ type: "rect", xref: "paper", x0: 0, x1: 1, y0: low, y1: high, layer: "below", line: { width: 0 }, fillcolor: "rgba(31,148,128,0.14)" });
      annotations.push({ ...words, x: 1, xanchor: "right", y: high, yanchor: "top", text: bandWords, font: { size: 9, color: "#1f9480" } });
    }
    if (typeof graph.floor === "number") {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: graph.floor, y1: graph.floor, line: { width: 1, dash: "dash", color: "#7a8493" } });
      annotations.push({ ...words, x: 0, xanchor: "left", y: graph.floor, yanchor: "bottom", text: floorWords, font: { size: 9, color: "#7a8493" } });
    }
    return {
      shapes, annotations,
      margin: { l: 44, r: 10, t: 8, b: 30 }, height: 190, autosize: true, showlegend: false, dragmode: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified",
      font: { family: "system-ui, sans-serif", size: 11 },
      hoverlabel: { bgcolor: "#fff", font: { size: 12 }, namelength: 40 },
      xaxis: { ...quiet, range: [0, Math.max(lastStep, 1)], ...(lastStep > WHOLE_STEPS ? { nticks: 6 } : { dtick: 1 }), tickformat: "d", showgrid: false, unifiedhovertitle: { text: "step %{x}" }, hoverformat: "d" },
      yaxis: { ...quiet, nticks: 5, rangemode: ["share", "reward"].includes(graph.unit) ? "tozero" : graph.console ? "nonnegative" : "normal" },
    };
  }
  return { CONFIG, $, visible, element, number, color, card, verdict, line, layout };
})();
