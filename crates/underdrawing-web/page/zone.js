// A place for a picture: drop, choose, paste, or take one.

import { bytes, canvasOf, fail, make, sides } from './dom.js';

const READ = 'image/*,.qoi,.pnm,.ppm,.pgm,.pbm,.pam,.tif,.tiff,.heic,.heif,.avif';

export class Zone {
  /** What is there: `{file, width, height}`; none while nothing is. */
  picture;
  #element;
  #engine;
  #changed;
  #turn = 0;

  constructor(element, engine, changed) {
    this.#element = element;
    this.#engine = engine;
    this.#changed = changed;
    element.setAttribute('role', 'group');
    element.setAttribute('aria-label', element.dataset.name);
    element.ondragover = (event) => {
      event.preventDefault();
      element.classList.add('over');
    };
    element.ondragleave = () => element.classList.remove('over');
    element.ondrop = (event) => {
      event.preventDefault();
      event.stopPropagation();
      element.classList.remove('over');
      const [file] = event.dataTransfer.files;
      if (file) this.take(file);
    };
    this.#showEmpty();
  }

  /** Reads a file. */
  async take(file) {
    const turn = ++this.#turn;
    const loading = make('div', { className: 'loading', textContent: 'Reading…' });
    this.#element.querySelector('.loading')?.remove();
    this.#element.append(loading);
    this.picture = undefined;
    this.#changed();
    try {
      const opened = await this.#engine.open(this.#element.id, file);
      if (turn !== this.#turn) return;
      this.picture = { file, width: opened.width, height: opened.height };
      this.#showFilled(file, opened);
      this.#changed(true);
    } catch (failure) {
      if (turn !== this.#turn) return;
      this.#showEmpty(failure);
      this.#changed();
    }
  }

  clear() {
    this.#turn++;
    this.picture = undefined;
    this.#engine.close(this.#element.id);
    this.#showEmpty();
    this.#element.querySelector('button').focus();
    this.#changed();
  }

  #showEmpty(failure) {
    const { name, hint } = this.#element.dataset;
    const message = make('p', { className: 'failure' });
    message.setAttribute('role', 'alert');
    this.#element.classList.remove('filled');
    this.#element.replaceChildren(
      make(
        'div',
        { className: 'empty' },
        make('h2', { textContent: name }),
        make('p', { textContent: hint }),
        this.#ways('Choose a file'),
        make('p', { className: 'or', textContent: 'or drop it here, or paste it' }),
      ),
      message,
    );
    fail(message, failure);
  }

  #showFilled(file, { width, height, format, conversions, shown }) {
    const { name } = this.#element.dataset;
    const details = [sides(width, height), format, bytes(file.size)].join(' · ');
    const remove = make('button', { type: 'button', className: 'quiet', textContent: 'Remove' });
    remove.setAttribute('aria-label', `Remove the ${name.toLowerCase()}`);
    remove.onclick = () => this.clear();
    const ways = this.#ways('Replace');
    ways.append(remove);
    this.#element.classList.add('filled');
    this.#element.replaceChildren(
      make('div', { className: 'picture' }, canvasOf(shown, `${name}: ${file.name}`)),
      make(
        'div',
        { className: 'caption' },
        make('h2', { textContent: name }),
        make(
          'p',
          { className: 'file' },
          file.name,
          make('small', { textContent: details }),
          ...conversions.map((conversion) => make('small', { textContent: conversion })),
        ),
        ways,
      ),
    );
  }

  /** Buttons that bring a file. */
  #ways(choose) {
    const { name, camera } = this.#element.dataset;
    const ways = make('div', { className: 'ways' }, this.#way(choose, 'button', `${choose}: ${name.toLowerCase()}`));
    if (camera !== 'no') {
      ways.append(this.#way('Camera', 'button camera', `Camera: ${name.toLowerCase()}`, 'environment'));
    }
    return ways;
  }

  #way(text, className, label, capture) {
    const input = make('input', { type: 'file', accept: capture ? 'image/*' : READ, hidden: true });
    if (capture) input.setAttribute('capture', capture);
    const button = make('button', { type: 'button', className, textContent: text });
    button.setAttribute('aria-label', label);
    button.onclick = () => input.click();
    input.onchange = () => {
      const [file] = input.files;
      input.value = '';
      if (file) this.take(file);
    };
    return make('span', {}, button, input);
  }
}
