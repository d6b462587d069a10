// How a figure is written: the same as project/number_format.py, for axes and tooltips.
const UNITS = [["", 1], ["k", 1e3], ["M", 1e6], ["B", 1e9], ["T", 1e12]];
const writers = new Map();

function digits(value, decimals, grouped) {
  const key = `${decimals} ${grouped}`;
  if (!writers.has(key)) {
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: grouped };
    writers.set(key, new Intl.NumberFormat("en-US", options));
  }
  return writers.get(key).format(value);
}

const round = (value, decimals) => Number(`${Math.round(Number(`${value}e${decimals}`))}e-${decimals}`);

export function write(format, given) {
  if (given === null || given === undefined || given === "") return "–";
  let value = Number(given);
  if (!Number.isFinite(value)) return String(given);
  if (format.percent) value *= 100;
  const amount = Math.abs(value);
  let place = 0;
  let decimals = format.decimals;
  if (format.short) {
    while (place + 1 < UNITS.length && amount >= UNITS[place + 1][1]) place += 1;
    if (round(amount / UNITS[place][1], decimals) >= 1000 && place + 1 < UNITS.length) place += 1;
    if (place === 0 && Number.isInteger(amount)) decimals = 0;
  }
  const [unit, size] = UNITS[place];
  const written = digits(round(amount / size, decimals), decimals, format.grouped);
  const sign = value < 0 && /[1-9]/.test(written) ? "-" : "";
  return `${sign}${format.before}${written}${unit}${format.percent ? "%" : ""}${format.after}`;
}

const PLAIN = { before: "", after: "", decimals: 2, grouped: true, short: false, percent: false };

// A figure of a tooltip: in the card's format, or with as many decimals as it has.
export function exact(format, value) {
  if (format) return write(format.short ? { ...format, short: false, grouped: true, decimals: Math.max(format.decimals, 2) } : format, value);
  return write({ ...PLAIN, decimals: Number.isInteger(Number(value)) ? 0 : 2 }, value);
}

// A figure of an axis: short, and without decimals that say nothing.
export function brief(format, value) {
  const base = format ?? PLAIN;
  const large = Math.abs(value) >= 10000 || (base.short && Math.abs(value) >= 1000);
  const shown = base.percent ? Math.abs(value) * 100 : Math.abs(value);
  for (const decimals of [0, 1, 2]) {
    const size = large ? UNITS.findLast(([, unit]) => shown >= unit)[1] : 1;
    const scaled = (shown / size) * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-9 || decimals === 2) {
      return write({ ...base, grouped: true, short: large && !base.percent, decimals }, value);
    }
  }
  return String(value);
}
