
const PAPER = "#ffffff";
const LONGEST_SIDE_THAT_IS_COARSE = 96; // pixels; smaller pictures are shown with their pixels as squares
const PIXELS_THAT_ARE_ENCODED_AT_ONCE = 1e6;

const isCoarse = (width, height) => Math.max(width, height) <= LONGEST_SIDE_THAT_IS_COARSE;

/**
 * The sheet: a blank one or a picture, and strokes on it. Sends "change" whenever somebody changes its pixels, and
 * "render" whenever its steps are others.
 *
 * Its steps are {sheet: true, width, height}, {file, picture, width, height} and {points, color, width}.
 */
class Sheet extends EventTarget {
  #canvas;
  #context;
  #history = new History();
  #stroke = null;
  pen = { color: "#000000", width: 2, erases: false };

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
  }

  get width() {
    return this.#canvas.width;
  }

  get height() {
    return this.#canvas.height;
  }

  get canUndo() {
    return this.#history.canUndo;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  get isBlank() {
    return Boolean(this.#history.done.at(-1)?.sheet);
  }

  /** Begin with a blank sheet. */
  start(width, height) {
    this.#history.push({ sheet: true, width, height });
    this.#render();
  }

  clear(width, height) {
    this.start(width, height);
    this.#changed();
  }

  /** Put a picture's file on the sheet; one that the browser cannot show is shown when the server has. */
  async load(file) {
    const picture = await createImageBitmap(file).catch(() => null);
    this.#history.push({ file, picture, width: picture?.width ?? this.width, height: picture?.height ?? this.height });
    this.#render();
    this.#changed();
  }

  /** Show a file that the browser could not, as the model sees it. */
  showAs(file, picture) {
    const step = this.#history.done.at(-1);
    if (step?.file !== file || step.picture) return;
    Object.assign(step, { picture, width: picture.width, height: picture.height });
    this.#render();
  }

  /** Take off a file that neither the browser nor the server could read; return whether it was one. */
  reject(file) {
    const step = this.#history.done.at(-1);
    if (step.file !== file || step.picture || !this.canUndo) return false;
    this.#history.drop();
    this.#render();
    return true;
  }

  undo() {
    this.#history.undo();
    this.#render();
    this.#changed();
  }

  redo() {
    this.#history.redo();
    this.#render();
    this.#changed();
  }

  /** Return what is to be sent: the file as it came, or else the pixels. */
  async body() {
    const file = this.#stroke ? null : this.#history.done.at(-1).file;
    if (file) return file;
    // toBlob waits up to a second until the browser has nothing else to do; the other way it must wait for us.
    if (this.width * this.height <= PIXELS_THAT_ARE_ENCODED_AT_ONCE) {
      return (await fetch(this.#canvas.toDataURL("image/png"))).blob();
    }
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }

  press(x, y) {
    const { color, width, erases } = this.pen;
    this.#stroke = { points: [[x, y]], color: erases ? PAPER : color, width };
    this.#line(this.#stroke, 0);
    this.#changed();
  }

  move(x, y) {
    if (!this.#stroke) return;
    this.#stroke.points.push([x, y]);
    this.#line(this.#stroke, this.#stroke.points.length - 2);
    this.#changed();
  }

  lift() {
    if (!this.#stroke) return;
    this.#history.push(this.#stroke);
    this.#stroke = null;
    this.#render(); // as it will be after undo and redo: where parts of a stroke meet, its edge is darker
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #render() {
    const steps = this.#history.done;
    const first = steps.findLastIndex((step) => !step.points);
    const { width, height, picture, sheet } = steps[first];
    Object.assign(this.#canvas, { width, height }); // which empties it too
    this.#canvas.hidden = !picture && !sheet && !this.canUndo; // a first file that is to be shown when the server has
    document.body.style.setProperty("--ratio", width / height);
    this.#canvas.classList.toggle("coarse", isCoarse(width, height));
    this.#context.fillStyle = PAPER;
    this.#context.fillRect(0, 0, width, height);
    if (picture) this.#context.drawImage(picture, 0, 0);
    for (const stroke of steps.slice(first + 1)) this.#line(stroke, 0);
    this.dispatchEvent(new Event("render"));
  }

  /** Draw a stroke from one of its points on. */
  #line({ points, color, width }, from) {
    Object.assign(this.#context, { strokeStyle: color, lineWidth: width, lineCap: "round", lineJoin: "round" });
    this.#context.beginPath();
    this.#context.moveTo(...points[from]);
    for (const point of points.slice(from)) this.#context.lineTo(...point);
    this.#context.stroke();
  }
}
