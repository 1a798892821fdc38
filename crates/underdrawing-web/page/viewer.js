// Pictures to look at: one, or two with a slider between them.

import { canvasOf, make } from './dom.js';

export class Viewer {
  #element;
  #views;
  #chosen = 0;

  constructor(element) {
    this.#element = element;
  }

  /** Views to choose from: `{name, about, left, right}`, where left and right are `{label, shown}`. */
  show(views) {
    this.#views = views;
    this.#chosen = Math.min(this.#chosen, views.length - 1);
    const group = `views-${this.#element.id}`;
    const choices = views.map(({ name }, i) => {
      const input = make('input', { type: 'radio', name: group, checked: i === this.#chosen });
      input.onchange = () => this.#choose(i);
      return make('label', {}, input, name);
    });
    const list = make('div', { className: 'views', hidden: views.length < 2 }, ...choices);
    list.setAttribute('role', 'radiogroup');
    list.setAttribute('aria-label', 'What to look at');
    this.#element.replaceChildren(list, make('div', { className: 'stage' }), make('p', { className: 'about' }));
    this.#choose(this.#chosen);
  }

  #choose(i) {
    this.#chosen = i;
    const { about = '', left, right } = this.#views[i];
    const pair = make('div', { className: 'pair' });
    const on = (side) => canvasOf(side.shown, side.label);
    const tag = (side, text) => make('span', { className: `tag ${side}`, textContent: text, ariaHidden: 'true' });
    pair.append(on(left));
    if (right) {
      const slider = make('input', { type: 'range', min: 0, max: 100, step: 0.5, value: 50 });
      slider.setAttribute('aria-label', `${left.label} on the left, ${right.label} on the right`);
      slider.oninput = () => pair.style.setProperty('--at', `${slider.value}%`);
      pair.append(on(right), make('div', { className: 'rule' }), tag('left', left.label), tag('right', right.label), slider);
    }
    this.#element.querySelector('.stage').replaceChildren(pair);
    this.#element.querySelector('.about').textContent = about;
  }
}
