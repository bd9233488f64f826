// Pictures of the reader's own: a file, one dropped or pasted, and the camera. They stay in the page.
import { noCamera, noPicture } from "./words.js";

/**
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>} or an Error whose message is a sentence for the reader
 */
export async function pictureOf(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    throw new Error(noPicture(file.name || "What you gave"));
  }
}

/** The first file of a drop or a paste, or null. */
export function fileIn(transfer) {
  return transfer?.files?.[0] ?? null;
}

/**
 * Take files that are dropped on the element or pasted into the page.
 * @param {(file: File) => void} take
 * @param {(error: Error) => void} say
 */
export function receive(element, take, say) {
  const over = (event) => {
    event.preventDefault();
    element.classList.add("pg-over");
  };
  const out = (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove("pg-over");
  };
  element.addEventListener("dragenter", over);
  element.addEventListener("dragover", over);
  element.addEventListener("dragleave", out);
  element.addEventListener("drop", (event) => {
    element.classList.remove("pg-over");
    event.preventDefault(); // the browser would leave the page for the file, or for a link
    const file = fileIn(event.dataTransfer);
    if (file) take(file);
    else say(new Error("That is no file: save the picture first, and drop its file here."));
  });
  document.addEventListener("paste", (event) => {
    const file = fileIn(event.clipboardData);
    if (file) take(file);
  });
}

/**
 * The camera: `start()` asks for it and then calls `frame(video)` for each picture until `stop()`.
 * @param {(video: HTMLVideoElement) => Promise<void>} frame the next picture waits for it
 * @param {() => void} cut it was unplugged, or taken away
 */
export function makeCamera(frame, cut) {
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  let stream = null;

  async function start() {
    try {
      if (!navigator.mediaDevices) throw new Error("an address without https");
      stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 640 } },
      });
    } catch (error) {
      throw new Error(noCamera(error), { cause: error });
    }
    for (const track of stream.getTracks()) track.addEventListener("ended", cut);
    video.srcObject = stream;
    await video.play().catch(() => {}); // stopped before it began
    loop(stream);
  }
  async function loop(mine) {
    while (mine && stream === mine) {
      if (video.videoWidth) await frame(video);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }
  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
  }
  return { start, stop, on: () => stream !== null };
}
