// A trained generator in the browser. Layers and their order are those of dcgan/models/folded.py: channels last, batch
// norm folded into the weights, a row of weights per class behind those of a layer's inputs.
"use strict";

// A point is what a picture is drawn of: { z: Float32Array, label: Float32Array of a number per class }.

function halfToNumber(half) {
  const sign = half >> 15 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}

function decodeWeights(base64) {
  const text = atob(base64);
  const numbers = new Float32Array(text.length / 2);
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = halfToNumber(text.charCodeAt(2 * i) | (text.charCodeAt(2 * i + 1) << 8));
  }
  return numbers;
}

// The network of a description, with views of its weights in each layer.
function openNetwork(about, base64) {
  const numbers = decodeWeights(base64);
  let at = 0;
  const take = (count) => numbers.subarray(at, (at += count));
  const layers = about.layers.map((layer) => {
    const count = layer.shape.reduce((product, length) => product * length, 1);
    return { ...layer, inputs: layer.shape[0], outputs: layer.shape.at(-1), weights: take(count), bias: take(layer.shape.at(-1)) };
  });
  return { ...about, layers };
}

// sums[to ...] += four values, each times its row of weights: where nearly all of the time is spent. Four at once, so that
// sums are read and written a quarter as often.
function addFour(sums, to, count, weights, row0, row1, row2, row3, value0, value1, value2, value3) {
  for (let i = 0; i < count; i++) {
    sums[to + i] += value0 * weights[row0 + i] + value1 * weights[row1 + i] + value2 * weights[row2 + i] + value3 * weights[row3 + i];
  }
}

// The inputs at a place and the label's numbers that are not zero (after ReLU about half are), up to a multiple of four:
// values, and where their weights begin. Returns how many.
function gather(input, at, channels, label, block, values, rows) {
  let count = 0;
  const add = (value, channel) => {
    values[count] = value;
    rows[count++] = channel * block;
  };
  for (let c = 0; c < channels; c++) if (input[at + c] !== 0) add(input[at + c], c);
  for (let c = 0; c < label.length; c++) if (label[c] !== 0) add(label[c], channels + c);
  while (count % 4) add(0, 0);
  return count;
}

function dense(input, label, layer) {
  const sums = Float32Array.from(layer.bias), { weights, outputs } = layer;
  const values = new Float32Array(layer.inputs + 4), rows = new Int32Array(layer.inputs + 4);
  const count = gather(input, 0, input.length, label, outputs, values, rows);
  for (let n = 0; n < count; n += 4) {
    addFour(sums, 0, outputs, weights, rows[n], rows[n + 1], rows[n + 2], rows[n + 3],
      values[n], values[n + 1], values[n + 2], values[n + 3]);
  }
  return sums;
}

// A fractionally strided convolution: every input position adds its kernels to the output around it, rows of the kernel
// that lie in the output, as far as they do.
function convolution(input, side, label, layer) {
  const { weights, outputs, stride, inputs } = layer, kernel = layer.shape[1], block = kernel * kernel * outputs;
  const channels = inputs - label.length, padding = (kernel - 1) >> 1, width = side * stride;
  const values = new Float32Array(inputs + 4), rows = new Int32Array(inputs + 4);
  const sums = new Float32Array(width * width * outputs);
  for (let i = 0; i < sums.length; i += outputs) sums.set(layer.bias, i);
  for (let y = 0; y < side; y++) {
    const top = y * stride - padding, firstRow = Math.max(0, -top), lastRow = Math.min(kernel, width - top);
    for (let x = 0; x < side; x++) {
      const left = x * stride - padding, first = Math.max(0, -left), length = (Math.min(kernel, width - left) - first) * outputs;
      const count = gather(input, (y * side + x) * channels, channels, label, block, values, rows);
      for (let row = firstRow; row < lastRow; row++) {
        const to = ((top + row) * width + left + first) * outputs, from = (row * kernel + first) * outputs;
        for (let n = 0; n < count; n += 4) {
          addFour(sums, to, length, weights, rows[n] + from, rows[n + 1] + from, rows[n + 2] + from, rows[n + 3] + from,
            values[n], values[n + 1], values[n + 2], values[n + 3]);
        }
      }
    }
  }
  return sums;
}

const ACTIVATIONS = {
  relu: (value) => (value > 0 ? value : 0),
  leaky_relu: (value, leak) => (value > 0 ? value : leak * value),
  tanh: (value) => Math.tanh(value),
  sigmoid: (value) => 1 / (1 + Math.exp(-value)),
  none: (value) => value,
};

function activate(values, name, leak) {
  const activation = ACTIVATIONS[name];
  for (let i = 0; i < values.length; i++) values[i] = activation(values[i], leak);
}

// All layers after their non-linearities, one after the other; `change(number, values)` may change what it is given
// before the next layer sees it. Returns the last one.
function runLayers(network, point, change = () => {}) {
  let values = point.z, side = 0;
  network.layers.forEach((layer, number) => {
    if (layer.stride) values = convolution(values, side, point.label, layer);
    else values = dense(values, point.label, layer);
    side = layer.stride ? side * layer.stride : network.side;
    activate(values, layer.activation, network.leak);
    change(number, values, side);
  });
  return values;
}

// The pixels of a point, RGBA; rounding and cutting to 0 ... 255 is what the type does.
function drawPixels(network, point, change) {
  const values = runLayers(network, point, change), { channels, size } = network;
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  const [factor, shift] = network.range === "tanh" ? [127.5, 127.5] : [255, 0];
  for (let i = 0; i < size * size; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = values[i * channels + (channels === 3 ? c : 0)] * factor + shift;
  }
  return pixels;
}

// ------------------------------------------------------------------------------------------------- points and numbers

// mulberry32: the same numbers in every browser; 0 to 1.
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Two numbers as one seed.
function mixedSeed(first, second) {
  const random = randomNumbers(first);
  return Math.imul(Math.floor(random() * 2 ** 32) ^ Math.imul(second + 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
}

// z of sample `index` of a seed, of the network's distribution.
function drawLatent(network, seed, index) {
  const random = randomNumbers(mixedSeed(seed, index));
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Float32Array.from({ length: network.latentSize }, network.latent === "normal" ? normal : () => 2 * random() - 1);
}

function oneHot(network, label) {
  return Float32Array.from({ length: network.classes }, (_, i) => Number(i === label));
}

// factors[0] * points[0] + factors[1] * points[1] + ..., of z and of label.
function combine(points, factors) {
  const total = (part) =>
    points[0][part].map((_, i) => points.reduce((sum, point, n) => sum + factors[n] * point[part][i], 0));
  return { z: total("z"), label: total("label") };
}

const meanPoint = (points) => combine(points, points.map(() => 1 / points.length));

// The way from one point to another, straight or, of z, along the great circle, as dcgan/internals/latent_space.py.
function pointBetween(start, end, share, path) {
  const straight = combine([start, end], [1 - share, share]);
  if (path === "linear") return straight;
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const cosine = dot(start.z, end.z) / Math.sqrt(dot(start.z, start.z) * dot(end.z, end.z));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (!(Math.sin(angle) >= 1e-4)) return straight;
  const factors = [Math.sin((1 - share) * angle), Math.sin(share * angle)].map((part) => part / Math.sin(angle));
  return { z: combine([start, end], factors).z, label: straight.label };
}

// The point with uniform noise on every number of z; label stays.
function neighbour(point, reach, seed) {
  const random = randomNumbers(seed);
  return { z: point.z.map((value) => value + reach * (2 * random() - 1)), label: point.label };
}

// plus - minus + other of mean pictures, in pixels.
function pixelSum(plus, minus, other) {
  const mean = (pictures, i) => pictures.reduce((sum, pixels) => sum + pixels[i], 0) / pictures.length;
  return plus[0].map((_, i) => (i % 4 === 3 ? 255 : mean(plus, i) - mean(minus, i) + mean(other, i)));
}
