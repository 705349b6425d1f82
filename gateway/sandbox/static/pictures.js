/* Pictures to send, drawn here, so that nobody has to look for a file. */

export function drawBoots(pen, width, height) {
  const sky = pen.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, "#f3c98b");
  sky.addColorStop(1, "#e9e2cf");
  pen.fillStyle = sky;
  pen.fillRect(0, 0, width, height);
  for (const [top, colour] of [[190, "#7fa08d"], [250, "#4f7d69"], [330, "#2f5c4b"]]) {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(0, top + 60);
    for (let x = 0; x <= width; x += 20) pen.lineTo(x, top + Math.sin(x / 90 + top) * 34 + Math.sin(x / 31) * 8);
    pen.lineTo(width, height);
    pen.lineTo(0, height);
    pen.fill();
  }
  for (const [x, y] of [[205, 250], [330, 262]]) {
    pen.fillStyle = "#8a4b25";
    pen.beginPath();
    pen.roundRect(x, y, 62, 118, 14);
    pen.roundRect(x, y + 78, 128, 48, [10, 34, 8, 8]);
    pen.fill();
    pen.fillStyle = "#3b2416";
    pen.fillRect(x - 2, y + 122, 132, 13);
    pen.strokeStyle = "#f0d9b5";
    pen.lineWidth = 4;
    for (let step = 0; step < 4; step += 1) {
      pen.beginPath();
      pen.moveTo(x + 34, y + 22 + step * 18);
      pen.lineTo(x + 60, y + 16 + step * 18);
      pen.stroke();
    }
  }
}

export function drawSticker(pen, width) {
  pen.font = `${width * 0.7}px sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillStyle = "#fff";
  pen.beginPath();
  pen.arc(width / 2, width / 2, width * 0.46, 0, Math.PI * 2);
  pen.fill();
  pen.fillStyle = "#f2b632";
  pen.beginPath();
  pen.arc(width / 2, width / 2, width * 0.41, 0, Math.PI * 2);
  pen.fill();
  pen.fillStyle = "#4a2c0a";
  for (const x of [0.37, 0.63]) {
    pen.beginPath();
    pen.arc(width * x, width * 0.42, width * 0.05, 0, Math.PI * 2);
    pen.fill();
  }
  pen.lineWidth = width * 0.045;
  pen.lineCap = "round";
  pen.strokeStyle = "#4a2c0a";
  pen.beginPath();
  pen.arc(width / 2, width * 0.5, width * 0.22, 0.25, Math.PI - 0.25);
  pen.stroke();
}
