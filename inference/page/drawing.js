
/* Drawing on the sheet, with a pointer or keys, and the tools for it. */

const COLORS = {
  black: "#000000", gray: "#8a8f98", brown: "#8d5524", red: "#ea3b3b", orange: "#f1872f",
  yellow: "#fcd53f", green: "#5c9e31", blue: "#4aa3e8", purple: "#8a5ad1", pink: "#f7a6c0",
};

function position(event) {
  const { left, top, width, height } = element("canvas").getBoundingClientRect();
  return [((event.clientX - left) * sheet.width) / width, ((event.clientY - top) * sheet.height) / height];
}

function drawByPointer(canvas) {
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    canvas.setPointerCapture(event.pointerId);
    sheet.press(...position(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.isPrimary) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) sheet.move(...position(each));
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => sheet.lift());
}

/** Arrows move a pen over the sheet; the space bar puts it down and lifts it. */
function drawByKeys(canvas) {
  const pen = element("pen");
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  let [x, y] = [0.5, 0.5]; // shares of width and height
  let down = false;
  const place = () => {
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = canvas;
    Object.assign(pen.style, { left: `${offsetLeft + x * offsetWidth}px`, top: `${offsetTop + y * offsetHeight}px` });
    pen.classList.toggle("down", down);
    pen.hidden = false;
  };
  const put = (isDown) => {
    down = isDown;
    if (down) sheet.press(x * sheet.width, y * sheet.height);
    else sheet.lift();
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") put(!down);
    else if (event.key in moves) {
      const [right, below] = moves[event.key];
      x = Math.min(Math.max(x + right / 64, 0), 1);
      y = Math.min(Math.max(y + below / 64, 0), 1);
      if (down) sheet.move(x * sheet.width, y * sheet.height);
    } else return;
    event.preventDefault();
    place();
  });
  canvas.addEventListener("blur", () => {
    if (down) put(false);
    pen.hidden = true;
  });
}

function chooseTool(erases) {
  sheet.pen.erases = erases;
  element("pencil").setAttribute("aria-pressed", String(!erases));
  element("eraser").setAttribute("aria-pressed", String(erases));
}

function chooseColor(color) {
  sheet.pen.color = color;
  element("color").value = color;
  for (const swatch of document.querySelectorAll(".swatch")) {
    swatch.setAttribute("aria-pressed", String(swatch.value === color));
  }
  chooseTool(false);
}

function chooseWidth(width) {
  sheet.pen.width = Number(width);
  element("width").value = width;
  element("width-value").textContent = width;
}

function prepareTools([height, width]) {
  for (const [name, color] of Object.entries(COLORS)) {
    const swatch = document.createElement("button");
    Object.assign(swatch, { type: "button", className: "swatch", value: color, title: capitalized(name) });
    swatch.setAttribute("aria-label", capitalized(name));
    swatch.style.setProperty("--swatch", color);
    swatch.addEventListener("click", () => chooseColor(color));
    element("swatches").append(swatch);
  }
  chooseWidth(Math.max(1, Math.round(Math.max(height, width) / 40)));
  chooseColor(COLORS.black);
  element("color").addEventListener("input", (event) => chooseColor(event.target.value));
  element("width").addEventListener("input", (event) => chooseWidth(event.target.value));
  element("pencil").addEventListener("click", () => chooseTool(false));
  element("eraser").addEventListener("click", () => chooseTool(true));
  element("undo").addEventListener("click", () => sheet.undo());
  element("redo").addEventListener("click", () => sheet.redo());
  element("clear").addEventListener("click", () => sheet.clear(width, height));
  document.addEventListener("keydown", onShortcut);
  drawByPointer(element("canvas"));
  drawByKeys(element("canvas"));
  element("keys").textContent =
    "Draw with mouse, pen or finger; or with the keyboard: arrows move the pen, the space bar puts it down and lifts it.";
  Object.assign(element("canvas"), { tabIndex: 0, role: "application", ariaLabel: "Sheet to draw on" });
  element("tools").hidden = false;
  document.body.classList.add("drawable");
}

function onShortcut(event) {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  if (control && (key === "y" || (key === "z" && event.shiftKey))) sheet.redo();
  else if (control && key === "z") sheet.undo();
  else if (!control && !event.altKey && key === "p") chooseTool(false);
  else if (!control && !event.altKey && key === "e") chooseTool(true);
  else return;
  event.preventDefault();
}

sheet.addEventListener("render", () => {
  element("width").max = Math.max(8, Math.round(Math.max(sheet.height, sheet.width) / 6));
  element("undo").disabled = !sheet.canUndo;
  element("redo").disabled = !sheet.canRedo;
  element("clear").disabled = sheet.isBlank;
});
