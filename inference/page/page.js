
/* Pictures from elsewhere, the card of the model, and the start. */

async function load(file) {
  if (!file) return;
  setBusy(true);
  await sheet.load(file);
}

element("choose").addEventListener("click", () => element("file").click());
element("file").addEventListener("change", (event) => {
  load(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("paste", (event) => load(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  element("sheet").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) element("sheet").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  element("sheet").classList.remove("over");
  load(event.dataTransfer.files[0]);
});

sheet.addEventListener("change", schedule);

// --- the start

function showCard() {
  for (const [name, value] of Object.entries(card.facts)) {
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = capitalized(name);
    description.textContent = value;
    element("facts").append(term, description);
  }
  if (card.samples) element("samples-picture").src = "/samples";
  element("samples").hidden = !card.samples;
  element("configuration-text").textContent = card.configuration ?? "";
  element("configuration").hidden = !card.configuration;
  const kept = card.has_file ? " --output output.png" : "";
  element("curl").textContent = `curl --data-binary @photo.jpg ${location.origin}/${card.command}${kept}`;
}

async function start() {
  card = await (await fetch("/card")).json();
  showCard();
  document.querySelector("main").classList.toggle("several", Object.keys(card.legends).length > 1);
  if (card.canvas) {
    const [height, width] = card.canvas;
    sheet.start(width, height);
    prepareTools(card.canvas);
  }
  const ways = card.canvas ? "Draw on the sheet, or drop, paste or choose a picture" : "Drop, paste or choose a picture";
  element("lead").textContent = `${ways}: the output follows.`;
  element("split").addEventListener("input", showSplit);
}

start().catch((error) => tell("", `the card of the model could not be read (${error.message}); reload the page`));
