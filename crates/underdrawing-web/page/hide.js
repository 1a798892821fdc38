// Hiding: settings, what to expect, and what came out.

import { byId, bytes, decibels, facts, fail, make, sides, tell } from './dom.js';
import { Viewer } from './viewer.js';
import { Work } from './work.js';
import { Zone } from './zone.js';

/** Milliseconds without a change before an estimate is made. */
const CALM = 350;

const STRENGTHS = {
  '-2': 'container first',
  '-1': 'container rather',
  0: 'container and the secret alike',
  1: 'secret rather',
  2: 'secret first',
};

export class Hiding {
  #engine;
  #cover;
  #secret;
  #viewer = new Viewer(byId('hidden-viewer'));
  #work;
  #waiting;
  #estimate = 0;
  #address;

  constructor(engine) {
    this.#engine = engine;
    this.#work = new Work('hide', engine);
    this.#cover = new Zone(byId('cover'), engine, () => this.#changed());
    this.#secret = new Zone(byId('secret'), engine, () => this.#changed());
    const form = byId('settings');
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#hide();
    };
    form.oninput = ({ target }) => {
      this.#showSettings();
      if (target.id !== 'password') this.#expectSoon();
    };
    this.#showSettings();
  }

  /** A file from outside: the first empty place takes it. */
  take(files) {
    const [first, second] = files;
    if (second) {
      this.#cover.take(first);
      this.#secret.take(second);
    } else if (first) {
      (this.#cover.picture ? this.#secret : this.#cover).take(first);
    }
  }

  get #ready() {
    return Boolean(this.#cover.picture && this.#secret.picture);
  }

  #changed() {
    const { picture: cover } = this.#cover;
    const { picture: secret } = this.#secret;
    byId('hide-button').disabled = !this.#ready;
    byId('hide-needs').hidden = this.#ready;
    byId('hide-needs').textContent =
      cover || secret ? `Choose a ${cover ? 'secret' : 'cover'}, too.` : 'Choose a cover and a secret first.';
    fail(byId('hide-failure'));
    this.#expectSoon();
  }

  get #method() {
    return byId('settings').elements.method.value;
  }

  #showSettings() {
    const method = this.#method;
    for (const field of document.querySelectorAll('[data-for]')) {
      field.hidden = !field.dataset.for.split(' ').includes(method);
    }
    byId('survive-field').hidden ||= byId('channel').value !== '';
    byId('survive-shown').textContent = byId('survive').value;
    byId('strength-shown').textContent = STRENGTHS[byId('strength').value];
    byId('password-note').hidden = byId('password').value !== '';
  }

  /** The program's options. */
  get #options() {
    const method = this.#method;
    const options = { method };
    if (method === 'network') {
      options.balance = Number(byId('strength').value);
      return options;
    }
    if (byId('effort').value) options.effort = byId('effort').value;
    if (method === 'coded') {
      if (byId('balance').value) options.balance = byId('balance').value;
      return options;
    }
    if (byId('channel').value) options.channel = byId('channel').value;
    else options.survive = Number(byId('survive').value);
    options.jpeg = byId('file').value === 'jpg';
    return options;
  }

  #expectSoon() {
    clearTimeout(this.#waiting);
    const turn = ++this.#estimate;
    byId('expected').replaceChildren();
    if (this.#ready) this.#waiting = setTimeout(() => this.#expect(turn), CALM);
  }

  async #expect(turn) {
    const options = this.#options;
    const line = (text) => make('p', { textContent: text });
    if (options.method === 'network') {
      byId('expected').replaceChildren(line('How good both pictures are shows after hiding.'));
      return;
    }
    byId('expected').replaceChildren(line('Estimating…'));
    let lines;
    try {
      const expected = await this.#engine.estimate(options);
      // Smaller pictures stood in for large ones, and have less room.
      const better = expected.exact ? '' : ', or better';
      lines =
        expected.revealedPsnrDb === null
          ? [line(expected.bytes ? 'The secret comes back without loss.' : 'The cover is too small for a picture.')]
          : [
              line(`Container at ${decibels(expected.containerPsnrDb)}, the secret at ${decibels(expected.revealedPsnrDb)}${better}.`),
              line(`The cover has room for ${bytes(expected.bytes)}.`),
            ];
    } catch (failure) {
      if (failure.kind === undefined) throw failure;
      lines = failure.kind === 'cancelled' ? [] : [line(failure.message)];
    }
    if (turn === this.#estimate) byId('expected').replaceChildren(...lines);
  }

  async #hide() {
    if (!this.#ready) return;
    clearTimeout(this.#waiting);
    const options = this.#options;
    const password = options.method === 'network' ? undefined : byId('password').value || undefined;
    const name = this.#cover.picture.file.name.replace(/\.[^.]*$/, '');
    byId('hidden').hidden = true;
    await this.#work.run('Hiding', async (progress) => {
      let hidden;
      const part = (container) => {
        hidden = container;
        byId('hide-doing').textContent = 'Revealing once, to look at it…';
        byId('hide-progress').removeAttribute('value');
        this.#offer(hidden, `${name}-container.${options.jpeg ? 'jpg' : 'png'}`);
        this.#show(hidden, options);
      };
      const revealed = await this.#engine.hide(options, password, { progress, part });
      this.#show(hidden, options, revealed);
      byId('hidden').dataset.memory = revealed.memory;
      tell(`Hidden. The container is at ${decibels(hidden.psnrDb)}, the revealed picture at ${decibels(revealed.psnrDb)}.`);
      byId('hidden-title').focus();
    });
  }

  /** The container as a file to save. */
  #offer(hidden, name) {
    URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(hidden.container);
    Object.assign(byId('save-container'), { href: this.#address, download: name });
  }

  /** What came out; without what was revealed as long as that is under way. */
  #show(hidden, options, revealed) {
    const { cover, shown, difference, secret, report, psnrDb } = hidden;
    const views = [
      {
        name: 'Container',
        about: 'Move the line: the cover on the left, the container on the right.',
        left: { label: 'Cover', shown: cover },
        right: { label: 'Container', shown },
      },
      {
        name: 'Difference × 10',
        about: 'What hiding has changed, ten times amplified. Black is unchanged.',
        left: { label: 'Difference between cover and container, ten times amplified', shown: difference },
      },
    ];
    if (revealed) {
      views.push({
        name: 'Revealed',
        about: 'The secret on the left; on the right what was revealed from the file.',
        left: { label: 'Secret', shown: secret },
        right: { label: 'Revealed', shown: revealed.shown },
      });
    }
    this.#viewer.show(views);
    facts(byId('hidden-facts'), [
      ['Container', decibels(psnrDb), 'compared with the cover'],
      ['Revealed', revealed ? decibels(revealed.psnrDb) : '…', changedSecret(report, this.#secret.picture)],
      ['File', bytes(hidden.container.size), `${options.jpeg ? 'JPEG' : 'PNG'}, ${sides(hidden.width, hidden.height)}`],
      ['Password', report.password ? 'needed' : 'none', report.password ? '' : 'anybody with this page can reveal'],
      ['Took', `${hidden.seconds.toFixed(1)} s`],
    ]);
    byId('hidden-note').textContent = advice(report, options);
    byId('hidden').hidden = false;
  }
}

/** What hiding did to the secret's size. */
function changedSecret({ turned, resized, codedSize }, secret) {
  const changes = [];
  if (turned) changes.push('turned by 90 degrees');
  if (resized) changes.push('brought to the cover’s size');
  const reduced = codedSize && secret && codedSize[0] !== secret.width;
  if (reduced) changes.push(`as ${sides(...codedSize)}`);
  return changes.length ? `hidden ${changes.join(' and ')}` : 'compared with the secret';
}

/** How the container has to be treated. */
function advice({ method, survives, survivesTwice }, { jpeg }) {
  if (method !== 'robust') return 'Send it as a file or document: messengers make a JPEG of what is sent as a picture, which destroys the secret.';
  const once = survivesTwice ? '' : ' once';
  return `It survives being saved as JPEG of quality ${survives} and above${once}, but not being made smaller${jpeg ? '' : ' or cropped'}.`;
}
