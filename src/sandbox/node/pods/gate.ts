/** A pause that can be cut short. A wake that comes while nobody pauses is kept for the next pause. */
export class Gate {
  #woken = false;
  #resume: (() => void) | undefined;

  wake(): void {
    if (this.#resume === undefined) this.#woken = true;
    else this.#resume();
  }

  /** Forgets a kept wake: what it was about has been dealt with. */
  clear(): void {
    this.#woken = false;
  }

  /** Resolves after `ms` (never by itself without), or on a wake. */
  async pause(ms?: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
        this.#resume = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#resume = undefined;
    this.#woken = false;
  }
}
