// The till's camera: a QR held before it is put into the field and looked up. Typing works without any of this.
(() => {
  "use strict";

  const form = document.getElementById("till");
  const box = document.getElementById("scan");
  if (!form || !box) return;
  const field = form.elements.who;
  const video = box.querySelector("video");
  const said = box.querySelector("[data-said]");
  const EVERY_MS = 200; // a look at the picture
  const CHARS_MAX = 200;
  let stream = null;
  let turn = 0; // of several tries to open the camera only the last counts

  // The browser's own reader where it has one; else ours, loaded only now.
  const newReader = async () => {
    if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
      const detector = new BarcodeDetector({ formats: ["qr_code"] });
      return async () => ((await detector.detect(video))[0] || {}).rawValue;
    }
    const { default: decode } = await import(box.dataset.reader);
    const canvas = document.createElement("canvas");
    const drawing = canvas.getContext("2d", { willReadFrequently: true });
    return async () => {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      drawing.drawImage(video, 0, 0);
      try {
        return decode(drawing.getImageData(0, 0, canvas.width, canvas.height));
      } catch {
        return ""; // no code in this picture
      }
    };
  };

  const close = (opened) => {
    for (const track of opened ? opened.getTracks() : []) track.stop();
  };

  const stop = () => {
    turn += 1;
    close(stream);
    stream = null;
    box.hidden = true;
  };

  const look = async (read, own) => {
    while (turn === own) {
      const text = video.videoWidth ? await read() : "";
      if (text && turn === own) {
        stop();
        field.value = text.slice(0, CHARS_MAX);
        form.requestSubmit();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  };

  const start = async () => {
    stop();
    const own = turn;
    box.hidden = false;
    said.textContent = said.dataset.waiting;
    try {
      const reading = newReader();
      reading.catch(() => {}); // it is awaited below, once the camera is open
      const opened = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (turn !== own) {
        close(opened);
        return;
      }
      stream = opened;
      video.srcObject = stream;
      await video.play();
      await look(await reading, own);
    } catch {
      if (turn !== own) return;
      stop();
      box.hidden = false;
      said.textContent = said.dataset.refused;
    }
  };

  form.querySelector("[data-scan]").addEventListener("click", start);
  box.querySelector("[data-stop]").addEventListener("click", stop);
  window.addEventListener("pagehide", stop);
})();
