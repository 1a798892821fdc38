// The page: what is where, and what happens to files from outside.

import { byId, fail } from './dom.js';
import { Engine } from './engine.js';
import { Hiding } from './hide.js';
import { installable, offline } from './offline.js';
import { Revealing } from './reveal.js';

const engine = new Engine();
const started = engine.start().then(
  ({ version }) => {
    byId('version').textContent = `underdrawing ${version}`;
    document.documentElement.dataset.ready = 'yes';
  },
  (error) => {
    fail(byId('unsupported'), {
      message: `This browser cannot run the page: ${error.message}. It takes one of 2023 or later`,
    });
    throw error;
  },
);

started.then(() => {
  const views = { hide: new Hiding(engine), reveal: new Revealing(engine) };
  const current = () => views[byId('reveal').hidden ? 'hide' : 'reveal'];

  // A file that misses its place must not take the page's.
  window.ondragover = (event) => event.preventDefault();
  window.ondrop = (event) => {
    event.preventDefault();
    current().take(event.dataTransfer.files);
  };
  document.onpaste = ({ clipboardData }) => current().take(clipboardData.files);
});

const tabs = ['hide', 'reveal'].map((name) => byId(`tab-${name}`));

function choose(chosen, focus) {
  for (const tab of tabs) {
    tab.ariaSelected = String(tab === chosen);
    tab.tabIndex = tab === chosen ? 0 : -1;
    byId(tab.getAttribute('aria-controls')).hidden = tab !== chosen;
  }
  history.replaceState(null, '', `#${chosen.getAttribute('aria-controls')}`);
  if (focus) chosen.focus();
}

for (const tab of tabs) {
  tab.onclick = () => choose(tab);
  tab.onkeydown = ({ key }) => {
    if (key === 'ArrowLeft' || key === 'ArrowRight') choose(tabs[1 - tabs.indexOf(tab)], true);
  };
}
if (location.hash === '#reveal') choose(tabs[1]);

for (const button of document.querySelectorAll('[data-shows]')) {
  const field = byId(button.dataset.shows);
  button.onclick = () => {
    const shows = field.type === 'password';
    field.type = shows ? 'text' : 'password';
    button.textContent = shows ? 'Conceal' : 'Show';
    button.ariaPressed = String(shows);
  };
  button.ariaLabel = 'Show the password';
}

offline(byId('offline'), byId('update'));
installable(byId('install'));
