// Revealing: a container, a password, and what was inside.

import { byId, bytes, facts, fail, sides, tell } from './dom.js';
import { Viewer } from './viewer.js';
import { Work } from './work.js';
import { Zone } from './zone.js';

const METHODS = { coded: 'finest', robust: 'for sending', network: 'network' };

/** What helps, for failures that a password may mend. */
const HINTS = {
  'nothing-found': 'If it was hidden with a password, enter it above.',
  'password-needed': 'Enter it above.',
  'wrong-password': 'Passwords are case-sensitive.',
};

export class Revealing {
  #engine;
  #container;
  #viewer = new Viewer(byId('revealed-viewer'));
  #work;
  #address;

  constructor(engine) {
    this.#engine = engine;
    this.#work = new Work('reveal', engine);
    this.#container = new Zone(byId('container'), engine, (opened) => this.#changed(opened));
    byId('opening').onsubmit = (event) => {
      event.preventDefault();
      this.#reveal(false);
    };
    byId('salvage').onclick = () => this.#reveal(true);
  }

  take([file]) {
    if (file) this.#container.take(file);
  }

  #changed(opened) {
    const ready = Boolean(this.#container.picture);
    byId('reveal-button').disabled = !ready;
    byId('reveal-needs').hidden = ready;
    byId('revealed').hidden = true;
    byId('salvage').hidden = true;
    fail(byId('reveal-failure'));
    if (opened) this.#reveal(false);
  }

  async #reveal(salvage) {
    if (!this.#container.picture) return;
    const password = byId('opener').value || undefined;
    byId('revealed').hidden = true;
    byId('salvage').hidden = true;
    const done = await this.#work.run('Revealing', async (progress) => {
      this.#show(await this.#engine.reveal(password, salvage, { progress }));
      tell('Revealed.');
      byId('revealed-title').focus();
    });
    byId('salvage').hidden = !done.salvageable;
    if (done.kind in HINTS) {
      byId('reveal-failure').append(` ${HINTS[done.kind]}`);
      byId('opener').focus();
      byId('opener').select();
    }
  }

  #show({ picture, width, height, seconds, report, shown }) {
    URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(picture);
    Object.assign(byId('save-revealed'), { href: this.#address, download: 'revealed.png' });
    this.#viewer.show([{ name: 'Revealed', left: { label: 'The revealed picture', shown } }]);
    const method = METHODS[report.method];
    facts(byId('revealed-facts'), [
      ['Size', sides(width, height)],
      ['Hidden', method, report.model ? `by the networks ${report.model}` : `in ${bytes(report.codedBytes)}`],
      ['Password', report.password ? 'needed' : 'none'],
      ['Took', `${seconds.toFixed(1)} s`],
    ]);
    byId('revealed').hidden = false;
  }
}
