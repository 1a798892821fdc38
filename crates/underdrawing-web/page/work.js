// Work that takes a while: progress, an end to it, and why it failed.

import { byId, fail, tell } from './dom.js';

export class Work {
  #name;
  #engine;

  /** `name` is what the elements' ids begin with. */
  constructor(name, engine) {
    this.#name = name;
    this.#engine = engine;
    byId(`${name}-cancel`).onclick = () => engine.cancel();
  }

  /** Runs `job` with the progress shown; whether it was done. */
  async run(doing, job) {
    const part = (id) => byId(`${this.#name}-${id}`);
    const [busy, button, progress, failure] = ['busy', 'button', 'progress', 'failure'].map(part);
    fail(failure);
    part('doing').textContent = `${doing}…`;
    tell(doing);
    progress.removeAttribute('value');
    [busy.hidden, button.parentElement.hidden] = [false, true];
    part('cancel').focus();
    const shown = ({ done, total }) => {
      progress.max = total;
      // The first step has no measure but that it goes on.
      if (done > 0 && done < total) progress.value = done;
      else progress.removeAttribute('value');
    };
    try {
      await job(shown);
      return true;
    } catch (error) {
      if (error.kind === undefined) throw error;
      fail(failure, error);
      tell(error.kind === 'cancelled' ? 'Cancelled' : '');
      return error;
    } finally {
      [busy.hidden, button.parentElement.hidden] = [true, false];
      if (document.activeElement === document.body) button.focus();
    }
  }
}
