// A sound for each sort of answer, made here: no file to fetch. Browsers keep silent until somebody touches the page; a kiosk need not.

const context = "AudioContext" in window ? new AudioContext() : null;
// Each note: how high (Hz), when it begins and how long it lasts (s), its form.
const NOTES = {
  yes: [[880, 0, 0.12, "sine"], [1318.5, 0.1, 0.22, "sine"]],
  again: [[660, 0, 0.16, "sine"]],
  no: [[196, 0, 0.22, "square"], [147, 0.26, 0.34, "square"]],
  ask: [[587, 0, 0.14, "triangle"], [587, 0.22, 0.14, "triangle"], [784, 0.44, 0.2, "triangle"]],
};
const LOUDNESS = { sine: 0.5, triangle: 0.5, square: 0.18 };
const played = [];

/** Play the sound of a name, if the browser lets us. */
export function play(name) {
  if (!context || context.state !== "running" || !NOTES[name]) return;
  for (const [height, from, length, form] of NOTES[name]) {
    const start = context.currentTime + from;
    const tone = new OscillatorNode(context, { type: form, frequency: height });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(LOUDNESS[form], start + 0.01);
    volume.gain.setValueAtTime(LOUDNESS[form], start + length - 0.03);
    volume.gain.linearRampToValueAtTime(0, start + length);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + length);
  }
  played.push(name);
  played.splice(0, played.length - 20);
  document.documentElement.dataset.played = played.join(" ");
}

/** Have `button` shown while the browser keeps us silent; the first touch of the page ends that. */
export function unlockBy(button) {
  if (!context) return;
  const show = () => { button.hidden = context.state === "running"; };
  const wake = () => context.resume().then(show, show);
  context.addEventListener("statechange", show);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wake);
  wake();
  show();
}
