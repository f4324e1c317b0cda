
"use strict";

/** What was done to the sheet, step by step: sheets, pictures and strokes. Steps can be undone and done again. */
class History {
  #steps = [];
  #position = 0;

  get done() {
    return this.#steps.slice(0, this.#position);
  }

  get canUndo() {
    return this.#position > 1; // the first step is the sheet itself
  }

  get canRedo() {
    return this.#position < this.#steps.length;
  }

  push(step) {
    this.#steps = [...this.done, step];
    this.#position = this.#steps.length;
  }

  /** Forget the last step. */
  drop() {
    this.#position -= 1;
    this.#steps = this.done;
  }

  undo() {
    if (this.canUndo) this.#position -= 1;
  }

  redo() {
    if (this.canRedo) this.#position += 1;
  }
}
