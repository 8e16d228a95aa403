// A job's mask in the editor. While Gradio's editor is set up it can lose the layers it was given, and it leaves old ones of another size behind, which move new ones aside:
// look whether the mask is there, tidy up, and ask for it once more.
async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const again = () => document.getElementById('image-mask-again')?.click();
  for (let tries = 0; tries < 150 && !document.querySelector('#image-editor canvas'); tries++) await pause(100);
  const opaque = async (blob) => {
    const image = await createImageBitmap(blob), canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height }), pen = canvas.getContext('2d');
    pen.drawImage(image, 0, 0);
    return pen.getImageData(0, 0, image.width, image.height).data.some((value, place) => place % 4 === 3 && value);
  };
  const ours = () => window.editor?.app?.canvas?.closest?.('#image-editor') ? window.editor : null;
  async function painted(editor) {
    const whole = editor.image_container.getLocalBounds();
    return whole.width === editor.width && whole.height === editor.height && (await Promise.all((await editor.get_blobs()).layers.map(opaque))).some(Boolean);
  }
  for (let tries = 0, good = 0; tries < 15 && good < 2; tries++) {
    await pause(900);
    const editor = ours();
    if (!editor) { if (tries < 3) continue; return again(); }  // another editor of the page was drawn last: ours can't be asked
    try {
      good = await painted(editor) ? good + 1 : 0;
      if (good) continue;
      for (const layer of [...editor.layer_manager.get_layers()]) editor.layer_manager.delete_layer(layer.id);
      for (const left of [...editor.image_container.children]) if (left !== editor.layer_manager.background_layer) editor.image_container.removeChild(left);
    } catch { return again(); }
    again();
  }
}
