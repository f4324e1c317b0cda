"use strict";

// Names and texts come from files: they become the text of elements, never their markup.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const NAME = -1; // the column of the names, beside the numbers of the metrics
const CAPTION = 24; // pixels below a large picture
const GAP = 8;

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// --- numbers

// JSON has no infinity: it comes as "inf". What was not measured is null.
function value(item, metric) {
  const number = item.metrics[metric];
  return typeof number === "string" ? Number(number.replace("inf", "Infinity")) : number;
}

function written(number) {
  if (number === null) return "–";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  if (number === 0) return "0";
  const digits = Math.abs(number) >= 1000 ? 0 : 4;
  return digits ? String(Number(number.toPrecision(digits))) : String(Math.round(number));
}

function median(numbers) {
  const sorted = numbers.filter((number) => number !== null).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (!sorted.length) return null;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// --- what the page says beside its pictures

function section(title, ...content) {
  byId("sections").append(make("details", {}, make("summary", { textContent: title }), ...content));
}

document.title = data.title;
byId("title").textContent = data.title;
const notes = data.columns.filter((column) => column.note).map((column) => `${column.name}: ${column.note}`);
byId("facts").append(...[...data.facts, ...notes].map((fact) => make("li", { textContent: fact })));
if (data.legend.length) {
  const entries = data.legend.map(({ name, color }) => {
    const swatch = make("span");
    swatch.style.background = color;
    return make("li", {}, swatch, name);
  });
  section("legend", make("ul", { className: "legend" }, ...entries));
}
if (data.curves) section("curves", make("img", { src: data.curves, alt: "losses and metrics over the training" }));
if (data.configuration) section("configuration", make("pre", { tabIndex: 0, textContent: data.configuration }));
if (data.command) section("command", make("pre", { tabIndex: 0, textContent: data.command }));

// --- the items

const across = Math.max(...data.lines.map((line) => line.length));
const grouped = data.metrics.some(({ name }) => name.includes("/")) && data.metrics.length > 5;
const group = (metric) => data.metrics[metric].name.split("/")[0];
const brief = data.metrics.map((_, metric) => !grouped || metric === 0 || group(metric) !== group(metric - 1));
const isSmall = ([, , [width, height]]) => Math.max(width, height) <= 128;

function metricsOf(item, wanted) {
  return data.metrics.flatMap(({ name }, metric) => {
    if (!wanted(metric)) return [];
    const term = make("dt", { textContent: name });
    const entry = make("div", { className: metric === sorting.column ? "sorted" : "" }, term);
    entry.append(make("dd", { textContent: written(value(item, metric)) }));
    return [entry];
  });
}

function thumb(item, column) {
  const picture = column === null ? null : item.pictures[column];
  if (!picture) return make("div");
  const { name } = data.columns[column];
  const className = isSmall(picture) ? "small" : "";
  const image = make("img", { alt: `${name} of ${item.name}`, decoding: "async", className });
  image.style.aspectRatio = `${picture[2][0]} / ${picture[2][1]}`;
  item.waiting.push([image, picture[0]]);
  const caption = make("span", { textContent: name, hidden: data.columns.length < 2 });
  return make("button", { type: "button", onclick: () => open(item) }, image, caption);
}

function card(item) {
  item.waiting = [];
  item.metricList = make("dl", { className: "metrics" });
  const strip = make("div", { className: "strip", role: "cell" });
  strip.append(...data.lines.flatMap((line) => line.map((column) => thumb(item, column))));
  const name = make("h2", { textContent: item.name, role: "rowheader" });
  const metrics = make("div", { role: "cell" }, item.metricList);
  const element = make("div", { className: "item", role: "row" }, name, strip, metrics);
  element.item = item;
  return element;
}

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      for (const [image, source] of target.item.waiting.splice(0)) image.src = source;
    }
  },
  { rootMargin: "800px" },
);

// --- sorting and filtering

const sorting = { column: null, worstFirst: true };
const headers = new Map();
let shown = [];

function compare(one, other) {
  const { column, worstFirst } = sorting;
  if (column === NAME) return byName(one, other) * (worstFirst ? 1 : -1);
  const [a, b] = [value(one, column), value(other, column)];
  if (a === null || b === null) return (a === null) - (b === null); // nothing measured: at the end, either way
  const rising = (data.metrics[column].better === "higher") === worstFirst;
  return (a === b ? 0 : a < b ? -1 : 1) * (rising ? 1 : -1) || byName(one, other);
}

const collator = new Intl.Collator(undefined, { numeric: true });
const byName = (one, other) => collator.compare(one.name, other.name);

function sortBy(column) {
  sorting.worstFirst = sorting.column === column ? !sorting.worstFirst : true;
  sorting.column = column;
  update();
}

function header(column, name) {
  const words = make("small");
  const button = make("button", { type: "button", onclick: () => sortBy(column) }, name, words);
  const element = make("div", { className: "sort", role: "columnheader" }, button);
  headers.set(column, { element, words, button, name });
  return element;
}

function labelHeaders() {
  for (const [column, { element, words, button, name }] of headers) {
    const sorted = column === sorting.column;
    const better = column === NAME ? "lower" : data.metrics[column].better;
    const rising = column === NAME ? sorting.worstFirst : (better === "higher") === sorting.worstFirst;
    if (sorted) element.setAttribute("aria-sort", rising ? "ascending" : "descending");
    else element.removeAttribute("aria-sort");
    button.firstChild.data = sorted ? `${name} ${rising ? "↑" : "↓"}` : name;
    const order = column === NAME ? (rising ? "a to z" : "z to a") : sorting.worstFirst ? "worst first" : "best first";
    const middle = column === NAME ? "" : `median ${written(median(shown.map((item) => value(item, column))))}`;
    words.textContent = sorted ? [order, middle].filter(Boolean).join(", ") : middle;
    button.title = sorted ? "turn the order round" : column === NAME ? "sort by name" : "sort, worst first";
  }
}

function update() {
  const part = byId("filter").value.trim().toLowerCase();
  shown = data.items.filter((item) => item.name.toLowerCase().includes(part)).sort(compare);
  const kept = new Set(shown);
  for (const item of data.items) item.element.hidden = !kept.has(item);
  byId("items").append(...shown.map((item) => item.element));
  for (const item of data.items) {
    item.metricList.replaceChildren(...metricsOf(item, (metric) => brief[metric] || metric === sorting.column));
  }
  const all = data.items.length;
  byId("count").textContent = shown.length === all ? `${all}` : `${shown.length} of ${all}`;
  byId("none").hidden = shown.length > 0;
  labelHeaders();
}

// --- one item, large: all its pictures side by side, or one of them

const viewer = byId("viewer");
const viewing = { item: null, alone: null };

function open(item) {
  viewing.item = item;
  viewing.alone = null;
  viewer.showModal();
  viewer.focus();
  show();
}

function step(by) {
  const item = shown[shown.indexOf(viewing.item) + by];
  if (!item) return;
  viewing.item = item;
  show();
}

function alone(column) {
  if (column !== null && !viewing.item.pictures[column]) return;
  viewing.alone = column;
  show();
}

function show() {
  const { item } = viewing;
  const place = shown.indexOf(item);
  byId("viewer-name").textContent = item.name;
  byId("viewer-place").textContent = `${place + 1} of ${shown.length}`;
  // Not disabled: a disabled button that has the focus takes no keys.
  byId("previous").ariaDisabled = place === 0;
  byId("next").ariaDisabled = place === shown.length - 1;
  byId("viewer-metrics").replaceChildren(...metricsOf(item, () => true));
  if (viewing.alone !== null && !item.pictures[viewing.alone]) viewing.alone = null;
  const grid = arrange(item);
  const figures = byId("figures");
  figures.style.gridTemplateColumns = `repeat(${grid.across}, max-content)`;
  figures.replaceChildren(...grid.cells.map((column) => figure(item, column, grid.scale)));
}

// The grid in which the pictures are largest: as on the page or turned, or of one line as many rows as it takes.
function arrange(item) {
  const sizes = item.pictures.filter(Boolean).map(([, , size]) => size);
  const [width, height] = [0, 1].map((side) => Math.max(...sizes.map((size) => size[side])));
  const room = byId("figures").getBoundingClientRect();
  const gridOf = (cells, columns) => {
    const rows = Math.ceil(cells.length / columns);
    const wide = (room.width - GAP * (columns - 1)) / columns / width;
    const high = ((room.height - GAP * (rows - 1)) / rows - CAPTION) / height;
    return { cells, across: columns, scale: Math.max(Math.min(wide, high), 16 / width) };
  };
  if (viewing.alone !== null) return gridOf([viewing.alone], 1);
  const padded = data.lines.map((line) => Array.from({ length: across }, (_, place) => line[place] ?? null));
  const turned = Array.from({ length: across }, (_, place) => padded.map((line) => line[place]));
  const choices =
    padded.length > 1
      ? [gridOf(padded.flat(), across), gridOf(turned.flat(), padded.length)]
      : padded[0].map((_, place) => gridOf(padded[0], place + 1));
  return choices.reduce((best, choice) => (choice.scale > best.scale * 1.001 ? choice : best));
}

function figure(item, column, scale) {
  const picture = column === null ? null : item.pictures[column];
  if (!picture) return make("div");
  const [thumbnail, link, [width, height]] = picture;
  const { name, note } = data.columns[column];
  const image = make("img", { alt: `${name} of ${item.name}`, className: scale > 1 ? "small" : "" });
  image.style.width = `${Math.floor(width * scale)}px`;
  image.style.height = `${Math.floor(height * scale)}px`;
  image.onerror = () => {
    image.onerror = null;
    image.src = thumbnail; // the page was moved without its folders
  };
  image.src = link;
  const said = viewing.alone === null ? `show ${name} alone` : "show all side by side";
  const onclick = () => alone(viewing.alone === null ? column : null);
  const button = make("button", { type: "button", title: said, onclick }, image);
  const file = make("a", { href: link, target: "_blank", rel: "noopener", textContent: name });
  file.title = note || "open the full picture";
  const caption = make("figcaption", {}, file, width * scale > 200 ? ` ${width} × ${height}` : "");
  caption.style.maxWidth = image.style.width;
  return make("figure", { className: viewing.alone === null ? "" : "alone" }, button, caption);
}

byId("previous").onclick = () => step(-1);
byId("next").onclick = () => step(1);
byId("close").onclick = () => viewer.close();
viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else if (event.key === "0") alone(null);
  else if (/^[1-9]$/.test(event.key) && Number(event.key) <= data.columns.length) alone(Number(event.key) - 1);
  else return;
  event.preventDefault();
});
viewer.addEventListener("close", () => {
  const { element } = viewing.item;
  element.scrollIntoView({ block: "nearest" });
  element.querySelector("button").focus({ preventScroll: true });
});
addEventListener("resize", () => viewer.open && show());

// --- the start

byId("last").textContent = Math.min(data.columns.length, 9);
byId("digits").hidden = data.columns.length < 2;
byId("items").style.setProperty("--across", across);
for (const item of data.items) {
  item.element = card(item);
  near.observe(item.element);
}
byId("head").append(header(NAME, "name"), ...data.metrics.map(({ name }, metric) => header(metric, name)));
byId("filter").addEventListener("input", update);
sortBy(data.metrics.length ? 0 : NAME);
