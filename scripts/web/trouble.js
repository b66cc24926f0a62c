// What went wrong, as a sentence for whoever looks at the page.

/** An error whose message is a sentence for the reader. */
export class Trouble extends Error {}

/** Shows a sentence on the page. Anything but a Trouble is a mistake in the page, and says so. */
export function show(error) {
  const place = document.getElementById("trouble");
  place.textContent = error instanceof Trouble ? error.message : `The page failed: ${error?.message ?? error}`;
  place.hidden = false;
  if (!(error instanceof Trouble)) console.error(error);
}

/** Takes the last sentence away. */
export function clear() {
  document.getElementById("trouble").hidden = true;
}
