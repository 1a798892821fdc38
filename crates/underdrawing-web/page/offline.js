// The page without a network, and as an app.

/** Keeps the page's files, and offers a newer version once it is there. */
export async function offline(said, update) {
  if (!navigator.serviceWorker) return;
  const registration = await navigator.serviceWorker.register('sw.js').catch(() => undefined);
  if (!registration) return;
  const waiting = () => {
    // The first version waits for nothing.
    update.hidden = !(registration.waiting && navigator.serviceWorker.controller);
  };
  registration.onupdatefound = () => registration.installing?.addEventListener('statechange', waiting);
  waiting();
  update.onclick = () => {
    navigator.serviceWorker.oncontrollerchange = () => location.reload();
    registration.waiting?.postMessage('take over');
  };
  await navigator.serviceWorker.ready;
  said.textContent = 'The page is kept on it, and works without a network.';
  document.documentElement.dataset.offline = 'yes';
}

/** Offers to install the page where the browser does not do so by itself. */
export function installable(button) {
  window.onbeforeinstallprompt = (event) => {
    event.preventDefault();
    button.hidden = false;
    button.onclick = async () => {
      await event.prompt();
      button.hidden = true;
    };
  };
}
