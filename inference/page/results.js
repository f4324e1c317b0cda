
/* Results: as one draws, the newest request alone counts. */

const element = (id) => document.getElementById(id);
const sheet = new Sheet(element("canvas"));
let card = null;

const SHORTEST_PAUSE = 80; // milliseconds between two requests while somebody draws
const LONGEST_PAUSE = 1000;

let timer = null;
let request = null;
let latest = 0; // milliseconds that the last answer took

/** Say, also to those who cannot see it, whether the output is that of what is on the sheet. */
function setBusy(is) {
  element("results").setAttribute("aria-busy", String(is));
}

function schedule() {
  setBusy(true);
  const pause = Math.min(Math.max(1.2 * latest, SHORTEST_PAUSE), LONGEST_PAUSE);
  timer ??= setTimeout(() => {
    timer = null;
    run();
  }, pause);
}

async function post(body, headers, signal) {
  const response = await fetch(`/${card.command}`, { method: "POST", body, headers, signal });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
  throw new Error(error);
}

async function run() {
  request?.abort();
  const own = (request = new AbortController());
  const verb = card.command.replace(/e$/, "");
  const start = performance.now();
  let body = null;
  try {
    body = await sheet.body();
    tell(`${capitalized(verb)}ing…`);
    const response = await post(body, { Accept: "application/json" }, own.signal);
    const answer = await response.json();
    latest = performance.now() - start;
    const [input] = await Promise.all([answer.input, ...Object.values(answer.pictures)].map(picture));
    if (own !== request) return;
    show(answer);
    if (body instanceof File) sheet.showAs(body, input);
    tell(`${capitalized(verb)}ed in ${latest < 1000 ? `${Math.round(latest)} ms` : `${(latest / 1000).toFixed(1)} s`}`);
  } catch (error) {
    if (own !== request || error.name === "AbortError") return;
    if (!sheet.reject(body)) element("figures").classList.add("stale");
    tell("", error instanceof TypeError ? "the server does not answer; is it still running?" : error.message);
  } finally {
    if (own === request && timer === null) setBusy(false);
  }
}

function tell(status, problem = "") {
  element("status").textContent = status;
  element("problem").textContent = problem && capitalized(problem);
  element("problem").hidden = !problem;
}

const capitalized = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Load and decode a picture. */
async function picture(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

/** Show pictures that are decoded, so that all change at once. */
function show({ input, pictures, width, height }) {
  element("figures").classList.remove("stale");
  for (const [name, drawn] of Object.entries(pictures)) {
    const figure = figureOf(name);
    for (const [part, source] of [[".before", input], [".after", drawn]]) {
      const image = figure.querySelector(part);
      image.src = source;
      image.classList.toggle("coarse", isCoarse(width, height));
    }
    figure.querySelector(".after").alt = `${name}, ${width} by ${height} pixels`;
    figure.querySelector(".download").onclick = () => save(name, drawn);
  }
  element("comparison").hidden = false;
}

/** Return the figure of a name, and make it when it is shown for the first time. */
function figureOf(name) {
  const known = element("figures").querySelector(`[data-name="${CSS.escape(name)}"]`);
  if (known) return known;
  const figure = element("figure").content.cloneNode(true).firstElementChild;
  figure.dataset.name = name;
  figure.querySelector(".name").textContent = capitalized(name);
  figure.querySelector(".what").textContent = ` ${name}`;
  const legend = figure.querySelector(".legend");
  for (const [meaning, color] of Object.entries(card.legends[name] ?? {})) {
    const entry = document.createElement("li");
    const mark = document.createElement("i");
    mark.style.setProperty("--color", color);
    entry.append(mark, meaning);
    legend.append(entry);
  }
  legend.hidden = !legend.childElementCount;
  const compare = figure.querySelector(".compare");
  for (const kind of ["pointerdown", "pointermove"]) {
    compare.addEventListener(kind, (event) => {
      if (!event.buttons) return;
      const { left, width } = compare.getBoundingClientRect();
      element("split").value = (100 * (event.clientX - left)) / width;
      showSplit();
    });
  }
  compare.addEventListener("dragstart", (event) => event.preventDefault());
  element("figures").append(figure);
  return figure;
}

function showSplit() {
  const share = element("split").value;
  element("figures").style.setProperty("--split", `${share}%`);
  element("figures").classList.toggle("whole", share === "0");
  element("split-value").textContent = `${share} %`;
}

/** Save a result: the very file where there is one, or else what is drawn. */
async function save(name, drawn) {
  try {
    const response = card.has_file ? await post(await sheet.body(), {}) : await fetch(drawn);
    const blob = await response.blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}${{ "image/png": ".png", "image/tiff": ".tif" }[blob.type] ?? ".npy"}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  } catch (error) {
    tell("", error.message);
  }
}
