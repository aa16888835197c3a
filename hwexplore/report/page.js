"use strict";

(() => {
const DATA = JSON.parse(document.getElementById("data").textContent);
const { head, columns, rows, details, pes, operators } = DATA;
const COUNT = rows.id.length;
const COLUMN = new Map(columns.map((column) => [column.name, column]));
const DETAIL = new Map(details.map((detail) => [detail.row, detail]));
const ALL_ROWS = Array.from({ length: COUNT }, (_, row) => row);
const NUMERIC = columns.filter((column) => column.numeric);
const TABLE_ROWS = 1000;
const LINES = 2000;
const PALETTE = ["#5179de", "#e2a100", "#e8604c", "#3aa99f", "#8a5fd1", "#57a33a", "#d6639a", "#6f9fdc", "#9c6b4e", "#8b9096"];
const SYMBOLS = ["circle", "diamond", "square", "triangle-up", "cross"];
const VIRIDIS = { light: ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151"], dark: ["#7a6fd0", "#4a90c8", "#2fb0a0", "#7ad151", "#fde725"] };
const TERM_COLOURS = {
  "MAC": "#5179de", "array clock": "#8a5fd1", "array": "#5179de", "PE array": "#5179de", "buffer": "#e2a100", "vector unit": "#3aa99f",
  "DRAM": "#e8604c", "DRAM interface": "#e8604c", "operand registers": "#86a3ea", "array wires": "#b3a0e0", "interconnect": "#f0c95c",
};

const state = {
  x: head.objectives[0], y: head.objectives[1] ?? "area_mm2", colour: head.likely ? "probability" : head.objectives.length > 2 ? head.objectives.at(-1) : "policy", size: "",
  bars: false, width: "time", brushes: new Map(), filter: "", sort: head.objectives[0],
  descending: COLUMN.get(head.objectives[0]).maximised, selected: details.length ? details[0].row : 0,
};

// ---------------------------------------------------------------- text

const $ = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const plain = (value, digits = 4) => {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(digits - 2).replace("e+", "e");
  return size >= 1e4 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
};

const PREFIXED = new Set(["s", "J", "W", "J s", "B", "B/s", "MAC", "MAC/s", "op/s"]);
const PREFIXES = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"], [1e-15, "f"]];

function quantity(value, unit = "", digits = 4) {
  if (typeof value === "string") return unit && !Number.isNaN(Number(value)) ? `${value} ${unit}` : value;
  if (!value || !unit) return plain(value, digits);
  if (!PREFIXED.has(unit)) return `${plain(value, digits)} ${unit.replace(/^1/, "")}`;
  const rounded = Math.abs(Number(value.toPrecision(digits)));
  const [scale, prefix] = PREFIXES.find(([factor]) => rounded >= factor) ?? PREFIXES.at(-1);
  return `${Number((value / scale).toPrecision(digits))} ${prefix}${unit}`;
}

const percent = (part) => (part > 0 && part < 1e-4 ? "< 0.01 %" : `${Number((100 * part).toPrecision(3))} %`);
const shown = (name, row) => quantity(rows[name][row], COLUMN.get(name)?.unit);
const heading = (name) => (name === "id" ? "design" : COLUMN.get(name).label);
const axisTitle = (name) => heading(name) + (COLUMN.get(name).unit ? ` [${COLUMN.get(name).unit}]` : "");
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** A table of texts; columns are {label, text, prose}, `footer` rows stand in the foot. */
function textTable(columnsOf, body, footer = []) {
  const cell = (value, column) => element("td", { className: [column.text && "text", column.prose && "prose text"].filter(Boolean).join(" ") }, value);
  const line = (values) => element("tr", {}, ...values.map((value, i) => cell(value, columnsOf[i])));
  return element("table", {},
    element("thead", {}, element("tr", {}, ...columnsOf.map((c) => element("th", { className: c.text || c.prose ? "text" : "", scope: "col" }, c.label)))),
    element("tbody", {}, ...body.map(line)),
    element("tfoot", {}, ...footer.map(line)));
}

// ---------------------------------------------------------------- drawing

const theme = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function draw(id, traces, layout) {
  const axis = { gridcolor: theme("grid"), linecolor: theme("rule"), zeroline: false, automargin: true, ticks: "outside", tickcolor: theme("rule"), title: { standoff: 8 } };
  const template = { layout: {
    font: { family: "system-ui, 'Segoe UI', Arial, sans-serif", size: 12, color: theme("ink") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis, colorway: PALETTE,
    hoverlabel: { bgcolor: theme("panel"), bordercolor: theme("rule"), font: { color: theme("ink") }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme("faded"), activecolor: theme("accent") },
  } };
  const buttons = ["select2d", "lasso2d", "autoScale2d"];
  Plotly.react(id, traces, { template, margin: { l: 60, r: 20, t: 16, b: 48 }, hovermode: "closest", ...layout },
    { responsive: true, displaylogo: false, showSendToCloud: false, modeBarButtonsToRemove: buttons, toImageButtonOptions: { filename: `hwexplore-${id}`, scale: 2 } });
}

/** Values a numeric column takes on a log axis: all positive and spread over most of a decade. */
const isLog = (values) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low > 0 && high / low >= 6;
};

const ordered = (values) => [...new Set(values)].sort((a, b) => {
  const [p, q] = [Number(a), Number(b)];
  return Number.isNaN(p) || Number.isNaN(q) ? Number.isNaN(p) - Number.isNaN(q) || (a < b ? -1 : 1) : p - q;
});

function axis(name) {
  const column = COLUMN.get(name);
  if (!column.numeric) return { type: "category", categoryorder: "array", categoryarray: ordered(rows[name]).map(escapeMarkup), title: { text: axisTitle(name) } };
  const log = isLog(rows[name]);
  const decades = log ? Math.log10(Math.max(...rows[name]) / Math.min(...rows[name])) : 0;
  const prefixed = PREFIXED.has(column.unit);
  return {
    type: log ? "log" : "linear",
    title: { text: axisTitle(name) },
    dtick: log ? (decades > 3 ? 1 : "D2") : undefined,
    tickformat: prefixed ? "~s" : "~g",
    tickvals: column.role === "parameter" ? ordered(rows[name]) : undefined,
  };
}

/** Each design's position 0 to 1 along a column, with ticks {at, text}; cached, since the front never changes. */
const scales = new Map();
function scale(name) {
  if (scales.has(name)) return scales.get(name);
  const values = rows[name];
  let result;
  if (COLUMN.get(name).role === "parameter") {
    const levels = ordered(values);
    const at = (value) => (levels.length > 1 ? levels.indexOf(value) / (levels.length - 1) : 0.5);
    result = { at: values.map(at), ticks: levels.map((level) => ({ at: at(level), text: String(level) })) };
  } else {
    const map = isLog(values) ? Math.log10 : (value) => value;
    const [low, high] = [map(Math.min(...values)), map(Math.max(...values))];
    const at = (value) => (high > low ? (map(value) - low) / (high - low) : 0.5);
    const back = map === Math.log10 ? (v) => 10 ** v : (v) => v;
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((t) => ({ at: t, text: quantity(back(low + t * (high - low)), COLUMN.get(name).unit, 3) }));
    result = { at: values.map(at), ticks };
  }
  scales.set(name, result);
  return result;
}

/** Groups of designs that share a colour: one per level of a category, or one with a colour scale. */
function colourGroups(visible) {
  const column = COLUMN.get(state.colour);
  if (column.numeric) return [{ label: axisTitle(state.colour), members: visible, scale: true }];
  return ordered(rows[state.colour]).map((level, i) => ({
    label: String(level), colour: PALETTE[i % PALETTE.length], symbol: SYMBOLS[Math.floor(i / PALETTE.length) % SYMBOLS.length],
    members: visible.filter((row) => rows[state.colour][row] === level),
  }));
}

function colourBar(name) {
  const { ticks } = scale(name);
  const every = Math.ceil(ticks.length / 8);
  const kept = ticks.filter((_, i) => i % every === 0);
  return { title: { text: axisTitle(name), side: "right" }, thickness: 12, outlinewidth: 0, tickvals: kept.map((t) => t.at), ticktext: kept.map((t) => t.text) };
}

// ---------------------------------------------------------------- which designs are kept

function matches(row, word) {
  const bound = /^(\w+)(<=|>=|<|>|=)(.+)$/.exec(word);
  if (!bound || !(bound[1] in rows)) return rowText(row).includes(word);
  const value = rows[bound[1]][row];
  if (bound[2] === "=") return String(value).toLowerCase() === bound[3];
  const limit = Number(bound[3]);
  return { "<": value < limit, ">": value > limit, "<=": value <= limit, ">=": value >= limit }[bound[2]];
}

const texts = new Map();
function rowText(row) {
  if (!texts.has(row)) {
    const words = columns.filter((column) => column.role === "parameter").map((column) => rows[column.name][row]);
    texts.set(row, [rows.id[row], ...words].join(" ").toLowerCase());
  }
  return texts.get(row);
}

function kept() {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  return ALL_ROWS.filter((row) =>
    [...state.brushes].every(([name, [low, high]]) => scale(name).at[row] >= low && scale(name).at[row] <= high) &&
    words.every((word) => matches(row, word)));
}

// ---------------------------------------------------------------- views of the front

function hover(row) {
  const names = [...new Set([state.x, state.y, state.colour, ...head.objectives, ...columns.filter((c) => c.role === "parameter").map((c) => c.name)])];
  return `<b>design ${rows.id[row]}</b><br>` + names.map((name) => `${escapeMarkup(heading(name))}: ${escapeMarkup(shown(name, row))}`).join("<br>");
}

/** Plotly reads a little markup in its texts; names must not be taken for it. */
const escapeMarkup = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const coordinate = (name, row) => (COLUMN.get(name).numeric ? rows[name][row] : escapeMarkup(rows[name][row]));

function errorBars(name, members) {
  const of = (row) => DETAIL.get(row)?.intervals[name];
  const arm = (low) => members.map((row) => {
    const interval = of(row);
    if (!interval) return 0;
    return low ? interval[1] - interval[0] : interval[2] - interval[1];
  });
  return { type: "data", symmetric: false, array: arm(false), arrayminus: arm(true), thickness: 1, width: 0 };
}

function drawFront(visible) {
  const sizes = state.size ? scale(state.size).at.map((at) => 5 + 13 * at) : ALL_ROWS.map(() => 8);
  const points = (members, extra) => ({
    type: "scatter", mode: "markers", x: members.map((row) => coordinate(state.x, row)), y: members.map((row) => coordinate(state.y, row)), customdata: members, ...extra,
  });
  const bars = (members, color) => Object.fromEntries([["error_x", state.x], ["error_y", state.y]]
    .filter(([, name]) => ["latency_s", "energy_j", "area_mm2"].includes(name))
    .map(([key, name]) => [key, { ...errorBars(name, members), color }]));
  const left = new Set(visible);
  const hidden = ALL_ROWS.filter((row) => !left.has(row));
  const traces = [points(hidden, { hoverinfo: "skip", showlegend: false, marker: { color: theme("faded"), size: 4, opacity: 0.35 } })];
  for (const group of colourGroups(head.likely ? visible.toReversed() : visible)) {
    if (!group.members.length) continue;
    const symbols = group.members.map((row) => (group.symbol ?? "circle") + (rows.nominal?.[row] === "no" ? "-open" : ""));
    const marker = { symbol: symbols, size: group.members.map((row) => sizes[row]), opacity: 0.85, line: { width: 0.5, color: theme("panel") } };
    if (group.scale) {
      Object.assign(marker, { color: group.members.map((row) => scale(state.colour).at[row]), cmin: 0, cmax: 1, colorscale: [0, 0.25, 0.5, 0.75, 1].map((t) => [t, colourAt(t)]), colorbar: colourBar(state.colour) });
    } else {
      marker.color = group.colour;
    }
    traces.push(points(group.members, {
      name: escapeMarkup(group.label), showlegend: !group.scale, text: group.members.map(hover), hoverinfo: "text", marker, ...(state.bars ? bars(group.members, group.scale ? theme("faded") : `${group.colour}66`) : {}),
    }));
  }
  if (COUNT) {
    traces.push(points([state.selected], {
      showlegend: false, hoverinfo: "skip", ...bars([state.selected], theme("ink")),
      marker: { size: sizes[state.selected] + 8, symbol: "circle-open", color: theme("ink"), line: { width: 2, color: theme("ink") } },
    }));
  }
  draw("front", traces, {
    xaxis: axis(state.x), yaxis: axis(state.y), legend: { title: { text: COLUMN.get(state.colour).label }, itemsizing: "constant", font: { size: 11 } },
    uirevision: `${state.x} ${state.y}`, margin: { l: 60, r: 20, t: 36, b: 48 },
  });
}

function dimensions() {
  const varied = columns.filter((column) => column.role === "parameter" && new Set(rows[column.name]).size > 1).map((column) => column.name);
  const last = varied.filter((name) => name === "policy");
  return [...varied.filter((name) => name !== "policy"), ...head.objectives, ...last];
}

function drawParallel(visible) {
  const names = dimensions();
  const drawn = visible.slice(0, LINES);
  const polyline = (members, extra) => ({
    type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false,
    x: members.flatMap(() => [...names.keys(), null]),
    y: members.flatMap((row) => [...names.map((name) => scale(name).at[row]), null]), ...extra,
  });
  const left = new Set(visible);
  const hidden = ALL_ROWS.filter((row) => !left.has(row)).slice(0, LINES);
  const traces = [polyline(hidden, { line: { color: theme("grid"), width: 1 } })];
  for (const group of colourGroups(drawn)) {
    const bins = group.scale
      ? Array.from({ length: 12 }, (_, bin) => ({ colour: colourAt((bin + 0.5) / 12), members: group.members.filter((row) => Math.min(11, Math.floor(12 * scale(state.colour).at[row])) === bin) }))
      : [group];
    for (const bin of bins) if (bin.members.length) traces.push(polyline(bin.members, { line: { color: bin.colour, width: 1 }, opacity: 0.55 }));
  }
  if (COUNT) traces.push(polyline([state.selected], { line: { color: theme("ink"), width: 3 } }));
  traces.push({ type: "scatter", mode: "markers", x: [...names.keys()], y: names.map(() => 0.5), marker: { opacity: 0 }, hoverinfo: "skip", showlegend: false });
  const first = (i) => i === 0;
  const final = (i) => i === names.length - 1;
  const tickTexts = names.flatMap((name, i) => scale(name).ticks.map((tick) => ({
    x: i, y: tick.at, text: escapeMarkup(tick.text), showarrow: false, xanchor: first(i) ? "right" : "left", xshift: first(i) ? -5 : 5,
    font: { size: 10.5, color: theme("ink") }, bgcolor: first(i) || final(i) ? undefined : theme("panel"), opacity: 0.9, borderpad: 1,
  })));
  const titles = names.map((name, i) => ({ x: i, y: 1.03, yanchor: "bottom", text: `<b>${escapeMarkup(heading(name)).replaceAll(" ", "<br>")}</b>`, showarrow: false, font: { size: 12 } }));
  const axes = names.map((_, i) => ({ type: "line", x0: i, x1: i, y0: 0, y1: 1, line: { color: theme("dim"), width: 1 } }));
  const boxes = names.flatMap((name, i) => (state.brushes.has(name) ? [{
    type: "rect", x0: i - 0.06, x1: i + 0.06, y0: state.brushes.get(name)[0], y1: state.brushes.get(name)[1],
    fillcolor: theme("accent"), opacity: 0.35, line: { width: 0 },
  }] : []));
  draw("parallel", traces, {
    xaxis: { visible: false, range: [-0.12, names.length - 0.88], fixedrange: true }, yaxis: { visible: false, range: [-0.03, 1.17], fixedrange: true },
    shapes: [...axes, ...boxes], annotations: [...tickTexts, ...titles], dragmode: "select", selectdirection: "d", selections: [],
    margin: { l: marginFor(names[0]), r: marginFor(names.at(-1)), t: 6, b: 10 },
    newselection: { line: { color: theme("accent") } },
  });
}

const marginFor = (name) => 24 + 6.2 * Math.max(...scale(name).ticks.map((tick) => tick.text.length));

/** The colour at 0 to 1 of the theme's colour scale. */
function colourAt(t) {
  const colours = VIRIDIS[document.documentElement.dataset.theme];
  const at = t * (colours.length - 1);
  const i = Math.min(colours.length - 2, Math.floor(at));
  const channels = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  const [a, b] = [channels(colours[i]), channels(colours[i + 1])];
  return `rgb(${a.map((value, c) => Math.round(value + (at - i) * (b[c] - value))).join(",")})`;
}

function showBrushes() {
  $("brushes").replaceChildren(...[...state.brushes.keys()].map((name) =>
    element("button", { type: "button", onclick: () => { state.brushes.delete(name); update(); } }, `${heading(name)} ×`)));
}

const TABLE_COLUMNS = ["id", ...columns.filter((c) => c.objective).map((c) => c.name), ...columns.filter((c) => c.role === "parameter").map((c) => c.name),
  ...columns.filter((c) => c.role === "metric" && !c.objective).map((c) => c.name)];
const isText = (name) => name !== "id" && !COLUMN.get(name).numeric;

function sorted(visible) {
  const values = isText(state.sort) ? scale(state.sort).at : rows[state.sort];
  return [...visible].sort((a, b) => (state.descending ? values[b] - values[a] : values[a] - values[b]) || a - b);
}

function drawTable(visible) {
  const order = sorted(visible).slice(0, TABLE_ROWS);
  const header = TABLE_COLUMNS.map((name) => element("th", {
    scope: "col", className: isText(name) ? "text" : "", title: COLUMN.get(name)?.meaning ?? "number of the design in the space",
    ...(state.sort === name ? { "aria-sort": state.descending ? "descending" : "ascending" } : {}),
  }, element("button", { type: "button", onclick: () => sortBy(name) }, heading(name))));
  const body = order.map((row) => element("tr", { "data-row": row, "aria-selected": String(row === state.selected) },
    ...TABLE_COLUMNS.map((name) => element("td", { className: isText(name) ? "text" : "" }, name === "id" ? String(rows.id[row]) : shown(name, row)))));
  $("table").replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...header)), element("tbody", {}, ...body)));
  $("table-note").textContent = visible.length > TABLE_ROWS ? `the first ${TABLE_ROWS} of ${visible.length} rows` : `${visible.length} rows`;
}

function sortBy(name) {
  state.descending = state.sort === name ? !state.descending : COLUMN.get(name)?.maximised ?? false;
  state.sort = name;
  drawTable(kept());
}

// ---------------------------------------------------------------- views of the selected design

function drawCard() {
  const row = state.selected;
  const interval = (name) => {
    const found = DETAIL.get(row)?.intervals[name];
    return found ? `${quantity(found[0], COLUMN.get(name).unit, 3)} – ${quantity(found[2], COLUMN.get(name).unit, 3)}` : "";
  };
  const lines = (test) => columns.filter(test).map(({ name, label }) => [label, shown(name, row), interval(name)]);
  $("card").replaceChildren(
    element("h3", {}, `Selected: design ${rows.id[row]}`),
    textTable([{ label: "objective", text: true }, { label: "value" }, { label: "5 to 95 %" }], lines((c) => c.objective)),
    textTable([{ label: "parameter", text: true }, { label: "value" }], lines((c) => c.role === "parameter").map((line) => line.slice(0, 2))),
    textTable([{ label: "other metric", text: true }, { label: "value" }], lines((c) => c.role === "metric" && !c.objective).map((line) => line.slice(0, 2))));
}

function drawDesign() {
  const row = state.selected;
  const detail = DETAIL.get(row);
  $("design-title").textContent = COUNT ? `Design ${rows.id[row]}` : "No design";
  const notes = [];
  if (COUNT && !detail) notes.push(`The front has ${head.front} designs; ${details.length} that span it are opened up here, and this one is not among them. The command below prints it.`);
  if (detail && head.fidelity === "roofline") notes.push("The front holds roofline bounds; what follows counts cycles and tiles, so its totals are higher.");
  $("design-note").textContent = notes.join(" ");
  $("design").hidden = !COUNT;
  for (const id of ["roofline", "gap", "energy", "area", "operators", "bill", "path", "bill-title"]) $(id).style.visibility = detail ? "" : "hidden";
  if (COUNT) showCommands(row);
  if (!detail) return;
  drawRoofline(detail);
  drawGap(detail);
  drawEnergy(detail);
  drawArea(detail);
  showOperators(detail);
  showFormatCosts(detail);
  showBill(detail);
}

const isProduct = (i) => operators.macs[i] > 0;

/** Names of points that lie on one another are joined, so that labels do not overprint. */
function joinedLabels(points) {
  const spots = new Map();
  for (const point of points) {
    const key = `${Math.log10(point.x).toFixed(1)} ${Math.log10(point.y).toFixed(1)}`;
    spots.set(key, [...(spots.get(key) ?? []), point]);
  }
  return new Map([...spots.values()].map((group) => {
    const names = group.map((point) => point.name);
    return [group[0].i, escapeMarkup(names.length > 3 ? `${names.slice(0, 2).join(", ")} + ${names.length - 2}` : names.join(", "))];
  }));
}

function drawRoofline({ operators: ops, roofline }) {
  const peaks = { "array": roofline.array_macs_per_s, "vector unit": roofline.vector_ops_per_s };
  const bandwidth = roofline.bandwidth_bytes_per_s;
  const points = operators.name.map((name, i) => ({ i, name, x: ops.intensity[i], y: ops.work_per_s[i], share: ops.share[i] })).filter((p) => p.x > 0 && p.y > 0);
  const knees = Object.values(peaks).map((peak) => peak / bandwidth);
  const low = Math.min(...points.map((p) => p.x), ...knees) / 3;
  const high = Math.max(...points.map((p) => p.x), ...knees) * 4;
  const traces = Object.entries(peaks).map(([unit, peak]) => ({
    type: "scatter", mode: "lines", hoverinfo: "skip", line: { color: TERM_COLOURS[unit], width: 2, dash: unit === "array" ? "solid" : "dash" },
    name: `${unit} peak ${quantity(peak, unit === "array" ? "MAC/s" : "op/s")}`, x: [low, peak / bandwidth, high], y: [low * bandwidth, peak, peak],
  }));
  const labels = joinedLabels(points.filter((p) => p.share >= 0.01).sort((a, b) => b.share - a.share));
  for (const [unit, filled, label] of [["array", true, "product on the array"], ["vector unit", true, "product on the vector unit"], ["vector unit", false, "elementwise"]]) {
    const members = points.filter((p) => ops.unit[p.i] === unit && isProduct(p.i) === filled);
    if (!members.length) continue;
    traces.push({
      type: "scatter", mode: "markers+text", name: label, x: members.map((p) => p.x), y: members.map((p) => p.y),
      text: members.map((p) => labels.get(p.i) ?? ""), textposition: "bottom right", textfont: { size: 11 },
      marker: { symbol: filled ? "circle" : "circle-open", color: TERM_COLOURS[unit], size: members.map((p) => 7 + 22 * Math.sqrt(p.share)), opacity: 0.8, line: { width: 1 } },
      hovertext: members.map((p) => `<b>${escapeMarkup(p.name)}</b> × ${operators.count[p.i]}<br>${quantity(p.y, filled ? "MAC/s" : "op/s")} on the ${unit}<br>${plain(p.x)} per DRAM byte<br>bound by ${ops.bound[p.i]}, ${percent(p.share)} of time`),
      hoverinfo: "text",
    });
  }
  const slope = { x: Math.log10(low * 1.5), y: Math.log10(low * 1.5 * bandwidth), text: `DRAM ${quantity(bandwidth, "B/s")}`, showarrow: false, xanchor: "left", yanchor: "top", xshift: 6, font: { color: TERM_COLOURS.DRAM } };
  const decade = { type: "log", dtick: high / low < 1e4 ? "D2" : 1, tickformat: "~s" };
  draw("roofline", traces, {
    xaxis: { ...decade, title: { text: "arithmetic intensity [MAC or vector operation per DRAM byte]" }, range: [Math.log10(low), Math.log10(high)] },
    yaxis: { ...decade, title: { text: "achieved [MAC/s or vector operations/s]" } },
    annotations: [slope], legend: { orientation: "h", y: 1.02, yanchor: "bottom", font: { size: 11 } }, margin: { l: 60, r: 20, t: 60, b: 48 },
  });
}

function drawGap({ operators: ops, roofline }) {
  const peak = roofline.array_macs_per_s;
  const macs = operators.macs.map((value, i) => value * operators.count[i]);
  const widths = state.width === "time" ? ops.share : macs.map((value) => value / sum(macs));
  const order = [...widths.keys()].filter((i) => widths[i] > 0).sort((a, b) => (ops.intensity[a] ?? 0) - (ops.intensity[b] ?? 0));
  let edge = 0;
  const bars = order.map((i) => {
    const bar = { i, x: edge + widths[i] / 2, width: widths[i], reached: isProduct(i) ? ops.work_per_s[i] / peak : 0,
      roof: isProduct(i) ? Math.min(1, (ops.intensity[i] * roofline.bandwidth_bytes_per_s) / peak) : 0 };
    edge += widths[i];
    return bar;
  });
  const text = bars.map(({ i, width, reached, roof }) => `<b>${escapeMarkup(operators.name[i])}</b> × ${operators.count[i]} on the ${ops.unit[i]}<br>${percent(reached)} of the array's peak<br>DRAM allows ${percent(roof)}<br>${percent(width)} of ${state.width === "time" ? "time" : "MACs"}, bound by ${ops.bound[i]}`);
  const shape = { type: "bar", x: bars.map((bar) => bar.x), width: bars.map((bar) => bar.width), hovertext: text, hoverinfo: "text" };
  const latency = sum(ops.total_s);
  const mean = sum(macs) / latency / peak;
  draw("gap", [
    { ...shape, name: "roof: what DRAM allows", y: bars.map((bar) => bar.roof), marker: { color: theme("grid"), line: { color: theme("faded"), width: 0.5 } } },
    { ...shape, name: "achieved", y: bars.map((bar) => bar.reached), marker: { color: bars.map((bar) => TERM_COLOURS[ops.unit[bar.i]]), line: { color: theme("panel"), width: 0.5 } } },
    { type: "scatter", mode: "lines", name: `waterline: ${percent(mean)} over the pass`, x: [0, 1], y: [mean, mean], hoverinfo: "skip", line: { color: theme("ink"), width: 1.5, dash: "dot" } },
  ], {
    barmode: "overlay", legend: { orientation: "h", y: 1.02, yanchor: "bottom", font: { size: 11 }, traceorder: "normal" }, margin: { l: 60, r: 20, t: 60, b: 48 },
    xaxis: { title: { text: `operators by arithmetic intensity, width is share of ${state.width === "time" ? "time" : "MACs"}` }, tickformat: ".0%", range: [0, 1] },
    yaxis: { title: { text: "share of the array's peak" }, tickformat: ".0%", range: [0, 1.25], tickvals: [0, 0.25, 0.5, 0.75, 1] },
    annotations: bars.filter((bar) => bar.width > 0.035).map((bar) => ({
      x: bar.x, y: Math.max(bar.reached, bar.roof), text: escapeMarkup(operators.name[bar.i]), showarrow: false, textangle: bar.width > 0.015 * operators.name[bar.i].length ? 0 : -60, yanchor: "bottom", font: { size: 10.5 },
    })),
  });
}

/** A sunburst from leaves {path: [outer names...], value, colour}; a part's size is the sum of its leaves. */
function sunburst(id, title, unit, leaves) {
  const nodes = new Map();
  for (const leaf of leaves.filter(({ value }) => value > 0)) {
    for (let depth = 1; depth <= leaf.path.length; depth += 1) {
      const key = leaf.path.slice(0, depth).join("\u0000");
      const node = nodes.get(key) ?? { label: leaf.path[depth - 1], parent: depth > 1 ? leaf.path.slice(0, depth - 1).join("\u0000") : "whole", own: 0, total: 0, colour: leaf.colour };
      node.total += leaf.value;
      if (depth === leaf.path.length) node.own += leaf.value;
      nodes.set(key, node);
    }
  }
  const total = sum(leaves.map(({ value }) => value));
  const all = [...nodes.values()];
  draw(id, [{
    type: "sunburst", branchvalues: "remainder", maxdepth: 3, sort: true, insidetextorientation: "auto",
    ids: ["whole", ...nodes.keys()], labels: [`${title}<br>${quantity(total, unit)}`, ...all.map((node) => escapeMarkup(node.label))],
    parents: ["", ...all.map((node) => node.parent)], values: [0, ...all.map((node) => node.own)],
    marker: { colors: ["rgba(0,0,0,0)", ...all.map((node) => node.colour)], line: { color: theme("panel"), width: 1 } },
    hovertext: [`${title} ${quantity(total, unit)}`, ...all.map((node) => `<b>${escapeMarkup(node.label)}</b><br>${quantity(node.total, unit)}, ${percent(node.total / total)}`)],
    hoverinfo: "text", leaf: { opacity: 0.75 },
  }], { uniformtext: { minsize: 9, mode: "hide" }, margin: { l: 6, r: 6, t: 8, b: 8 } });
}

function drawEnergy({ operators: ops, energy_j: terms }) {
  const dynamic = Object.entries(ops.picojoules).flatMap(([term, values]) => values.map((value, i) => ({
    path: [term, operators.name[i]], value: value * operators.count[i] * 1e-12, colour: TERM_COLOURS[term],
  })));
  const fixed = Object.entries(terms).filter(([term]) => !(term in ops.picojoules)).map(([term, value]) => ({ path: ["static", term], value, colour: theme("faded") }));
  sunburst("energy", "energy", "J", [...dynamic, ...fixed]);
}

function drawArea({ area_mm2: terms, pe, pe_instances: instances }) {
  const { bill } = pes[pe];
  const array = bill.part.map((part, i) => ({ path: ["PE array", part, bill.primitive[i]], value: bill.area_um2[i] * instances * 1e-6, colour: TERM_COLOURS["PE array"] }));
  const others = Object.entries(terms).filter(([term]) => term !== "PE array").map(([term, value]) => ({ path: [term], value, colour: TERM_COLOURS[term] }));
  sunburst("area", "area", "mm²", [...array, ...others]);
}

function showOperators({ operators: ops }) {
  const text = (label) => ({ label, text: true });
  const terms = Object.keys(ops.seconds);
  const energies = Object.keys(ops.picojoules);
  const heads = [text("operator"), text("kind"), { label: "count" }, { label: "batch × m × n (× k)" }, text("runs on"), text("bound by"), text("tile"), { label: "array use" }, ...terms.map((term) => ({ label: `${term} time` })),
    { label: "total time" }, { label: "share" }, { label: "MACs" }, { label: "DRAM traffic" }, { label: "MAC/byte" }, { label: "MAC/s" }, ...energies.map((term) => ({ label: `${term} energy` }))];
  const body = operators.name.map((name, i) => [
    name, operators.kind[i], String(operators.count[i]), [operators.batch, operators.m, operators.n, operators.k].map((d) => d[i]).filter((d) => d > 0).map((d) => plain(d, 6)).join(" × "),
    ops.unit[i], ops.bound[i], ops.tiling[i], ops.unit[i] === "array" ? percent(Object.values(ops.array_use).reduce((use, shares) => use * shares[i], 1)) : "–",
    ...terms.map((term) => quantity(ops.seconds[term][i], "s")), quantity(ops.total_s[i], "s"), percent(ops.share[i]),
    isProduct(i) ? quantity(operators.macs[i], "MAC") : "–", quantity(ops.dram_bytes[i], "B"), isProduct(i) ? plain(ops.intensity[i]) : "–",
    isProduct(i) ? quantity(ops.work_per_s[i], "MAC/s") : "–", ...energies.map((term) => quantity(ops.picojoules[term][i] * 1e-12, "J")),
  ]);
  const totals = (values) => sum(values.map((value, i) => value * operators.count[i]));
  const foot = ["whole pass", "", "", "", "", "", "", "", ...terms.map((term) => quantity(totals(ops.seconds[term]), "s")), quantity(sum(ops.total_s), "s"), "100 %",
    quantity(totals(operators.macs), "MAC"), quantity(totals(ops.dram_bytes), "B"), plain(totals(operators.macs) / totals(ops.dram_bytes)),
    quantity(totals(operators.macs) / sum(ops.total_s), "MAC/s"), ...energies.map((term) => quantity(totals(ops.picojoules[term]) * 1e-12, "J"))];
  $("operators").replaceChildren(textTable(heads, body, [foot]));
}

function showFormatCosts({ format_costs: costs, energy_j: terms, operators: ops }) {
  const energy = sum(Object.values(terms)), latency = sum(ops.total_s);
  const heads = [{ label: "term", text: true }, { label: "unit", text: true }, { label: "operations" }, { label: "DRAM traffic" }, { label: "energy" }, { label: "of the energy" },
    { label: "busy" }, { label: "of the latency" }];
  const unless0 = (value, text) => (value > 0 ? text : "–");
  const body = costs.map((cost) => [cost.term, cost.unit, unless0(cost.operations, plain(cost.operations)), unless0(cost.dram_bytes, quantity(cost.dram_bytes, "B")),
    quantity(cost.energy_j, "J"), percent(cost.energy_j / energy), unless0(cost.busy_s, quantity(cost.busy_s, "s")), unless0(cost.busy_s, percent(cost.busy_s / latency))]);
  $("format-costs").replaceChildren(textTable(heads, body));
}

function showBill({ pe: index, pe_instances: instances }) {
  const pe = pes[index];
  const { bill, path } = pe;
  $("bill-title").textContent = `Bill of hardware: one of ${instances.toLocaleString("en")} × ${pe.text}`;
  const area = sum(bill.area_um2);
  const heads = [{ label: "part", text: true }, { label: "primitive", text: true }, { label: "count" }, { label: "transitions per cycle" }, { label: "area" }, { label: "share" },
    { label: "dynamic energy per cycle" }, { label: "clock energy per cycle" }, { label: "leakage" }, { label: "why", prose: true }];
  const line = (areaOf, dynamic, clock, leakage) => [`${plain(areaOf)} µm²`, percent(areaOf / area), quantity(dynamic * 1e-12, "J"), quantity(clock * 1e-12, "J"), quantity(leakage * 1e-6, "W")];
  const body = bill.part.map((part, i) => [part, bill.primitive[i].replaceAll("_", " "), plain(bill.count[i]), plain(bill.activity[i], 3),
    ...line(bill.area_um2[i], bill.dynamic_pj[i], bill.clock_pj[i], bill.leakage_uw[i]), bill.why[i]]);
  const foot = ["one PE", "", plain(sum(bill.count)), "", ...line(area, sum(bill.dynamic_pj), sum(bill.clock_pj), sum(bill.leakage_uw)), `${plain(pe.macs_per_cycle)} MAC per cycle at full rate`];
  $("bill").replaceChildren(textTable(heads, body, [foot]));
  const length = sum(path.delay_ps);
  $("path").replaceChildren(textTable([{ label: "part", text: true }, { label: "primitive", text: true }, { label: "in series" }, { label: "delay" }],
    path.part.map((part, i) => [part === "registers" ? "registers (clock to output, setup)" : part, path.primitive[i].replaceAll("_", " "), plain(path.count[i]), `${plain(path.delay_ps[i])} ps`]),
    [["register to register", "", "", `${plain(length)} ps`], ["clock period", "", "", `${plain(pe.period_ps)} ps`]]));
}

function showCommands(row) {
  const [before, after] = head.explain;
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const explain = `${before} ${rows.id[row]} \\\n  ${after}`;
  const lines = [explain, `${explain} --json`,
    `hwexplore pe show ${quote(rows.pe[row])}`, `hwexplore technology show ${head.technology}`];
  if (after.includes("--space ")) lines.push("# space.toml: save the section Space below under that name");
  $("commands").textContent = lines.join("\n");
}

// ---------------------------------------------------------------- page

function showHead() {
  const title = `${head.workload} ${head.phase} on ${head.technology}`;
  document.title = `${title} – hwexplore`;
  $("title").textContent = title;
  const number = (value) => value.toLocaleString("en");
  const facts = {
    "batch": number(head.batch), ...(head.phase === "inference" ? {} : { "context": `${number(head.context)} tokens` }), "network": `${new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 }).format(head.parameters)} parameters`,
    "technology": head.technology_description, "fidelity": head.fidelity,
    "space": `${number(head.space)} designs`,
    "evaluated": `${number(head.evaluated)}, ${head.heuristic || (head.complete ? "complete" : "interrupted: the front is that of these")}`,
    "feasible": number(head.feasible), "on the front": number(head.front),
    ...(head.likely ? { [`true front in ${head.likely.draws} joint draws`]: `${number(head.likely.core)} hold ${percent(head.likely.level)} of it on average, ${number(head.likely.whole)} hold it whole with ${percent(head.likely.level)} confidence; hollow: off the nominal front` } : {}),
    "objectives": head.objectives.map((name) => `${COLUMN.get(name).maximised ? "most" : "least"} ${heading(name)}`).join(", "),
    "constraints": head.constraints.join(", ") || "none", "hwexplore": head.version,
  };
  $("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const inert = Object.entries(head.inert);
  $("inert").hidden = !inert.length;
  $("inert").querySelector("summary").textContent = `Parameters that take one value on the whole front: ${inert.map(([name]) => heading(name)).join(", ")}`;
  $("inert").querySelector("dl").replaceChildren(...inert.flatMap(([name, why]) => [element("dt", {}, heading(name)), element("dd", {}, why)]));
}

function showSources() {
  const { table, spreads, sources } = DATA.coefficients;
  const text = (label) => ({ label, text: true });
  const prose = (label) => ({ label, prose: true });
  $("source-title").textContent = `Coefficients of ${head.technology} and their sources`;
  $("sources").replaceChildren(textTable([text("coefficient"), { label: "value" }, text("unit"), text("shares the spread of"), { label: "sigma" }, prose("source")],
    table.map((c) => [c.name, plain(c.value, 5), c.unit, c.spread.replaceAll("_", " "), c.spread ? plain(spreads[c.spread][0]) : "", c.source])));
  $("source-names").replaceChildren(...Object.entries(sources).flatMap(([name, meaning]) => [element("dt", {}, name), element("dd", {}, meaning)]));
  $("spreads").replaceChildren(textTable([text("spread"), { label: "sigma" }, prose("source")],
    Object.entries(spreads).map(([name, [sigma, source]]) => [name.replaceAll("_", " "), plain(sigma), source])));
  $("space").textContent = head.space_toml;
}

function update() {
  const visible = kept();
  $("shown").textContent = visible.length === COUNT ? `${COUNT} designs` : `${visible.length} of ${COUNT} designs kept`;
  $("clear").disabled = visible.length === COUNT;
  showBrushes();
  drawTable(visible);
  if (COUNT) {
    drawFront(visible);
    drawParallel(visible);
  }
}

function select(row) {
  state.selected = row;
  for (const line of $("table").querySelectorAll("tbody tr")) line.setAttribute("aria-selected", String(Number(line.dataset.row) === row));
  const visible = kept();
  drawFront(visible);
  drawParallel(visible);
  drawCard();
  drawDesign();
}

function step(direction) {
  const order = sorted(kept()).slice(0, TABLE_ROWS);
  const at = order.indexOf(state.selected);
  if (!order.length) return;
  select(order[at < 0 ? 0 : Math.max(0, Math.min(order.length - 1, at + direction))]);
  $("table").querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").textContent = dark ? "Light theme" : "Dark theme";
  update();
  drawDesign();
}

function brush({ range }) {
  if (!range) return;
  const [[x0, x1], [y0, y1]] = [range.x, range.y].map((ends) => [...ends].sort((a, b) => a - b));
  dimensions().forEach((name, i) => {
    if (i >= x0 - 0.25 && i <= x1 + 0.25) state.brushes.set(name, [y0, y1]);
  });
  update();
}

function clear() {
  state.brushes.clear();
  state.filter = $("filter").value = "";
  update();
}

function connect() {
  const options = (list, none) => [...(none ? [element("option", { value: "" }, none)] : []), ...list.map((c) => element("option", { value: c.name }, c.label))];
  const varied = columns.filter((column) => new Set(rows[column.name]).size > 1);
  for (const [id, list, none] of [["x", columns], ["y", columns], ["colour", varied.length ? varied : columns], ["size", NUMERIC, "equal"]]) {
    $(id).replaceChildren(...options(list, none));
    $(id).value = state[id];
    if ($(id).selectedIndex < 0) state[id] = $(id).value = $(id).options[0].value;
    $(id).addEventListener("change", () => { state[id] = $(id).value; update(); });
  }
  $("bars").addEventListener("change", () => { state.bars = $("bars").checked; update(); });
  $("width").addEventListener("change", () => { state.width = $("width").value; drawDesign(); });
  $("filter").addEventListener("input", () => { state.filter = $("filter").value; update(); });
  $("clear").addEventListener("click", clear);
  $("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));
  $("table").addEventListener("click", (event) => {
    const line = event.target.closest("tbody tr");
    if (line) select(Number(line.dataset.row));
  });
  $("table").addEventListener("keydown", (event) => {
    const direction = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (direction) { event.preventDefault(); step(direction); }
  });
}

showHead();
showSources();
connect();
const preference = matchMedia("(prefers-color-scheme: dark)");
setTheme(preference.matches);
preference.addEventListener("change", (event) => setTheme(event.matches));
if (COUNT) {
  drawCard();
  $("front").on("plotly_click", ({ points }) => select(points[0].customdata));
  $("parallel").on("plotly_selected", (event) => { if (event) brush(event); });
  $("parallel").on("plotly_doubleclick", () => { state.brushes.clear(); update(); });
}
})();
