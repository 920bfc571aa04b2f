// The live region speaks the sentence once scrubbing rests; never in the middle of it.

const REST = 300; // milliseconds

export class Speech {
  /** @param {Element} region */
  constructor(region) {
    this.region = region;
    this.timer = null;
    this.last = "";
  }

  say(text, now = false) {
    clearTimeout(this.timer);
    if (text === this.last) return;
    this.timer = setTimeout(
      () => {
        this.last = text;
        this.region.textContent = text;
      },
      now ? 0 : REST,
    );
  }

  close() {
    clearTimeout(this.timer);
  }
}
