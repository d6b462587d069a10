// Values along an axis: dates at the length that tells what they are, none left out.
const DAY = 86_400_000;
const FILLED_MAX = 800;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d).*)?$/;

function read(value) {
  const found = DATE.exec(String(value));
  if (!found) return null;
  const [year, month, day, hour, minute] = found.slice(1).map((part) => Number(part ?? 0));
  return { year, month, day, hour, minute, at: Date.UTC(year, month - 1, day, hour, minute) };
}

const key = (at, like) => new Date(at).toISOString().slice(0, 10) + like;

// Returns what stands along an axis: its values, how each is written, and their kind.
export function axis(values) {
  const dates = values.map(read);
  if (!values.length || dates.some((each) => each === null)) {
    return { values, labels: values.map((value) => (value === null ? "–" : String(value))), kind: "names" };
  }
  if (dates.some((each) => each.hour || each.minute)) return times(values, dates);
  const like = String(values[0]).slice(10);
  const isMonths = dates.every((each) => each.day === 1);
  const filled = fill(dates, isMonths).map((at) => key(at, like));
  const all = filled.length <= FILLED_MAX ? filled : values;
  return { values: all, labels: all.map((value) => (isMonths ? month(read(value)) : day(read(value)))), kind: isMonths ? "months" : "days" };
}

function times(values, dates) {
  const one = new Set(dates.map((each) => `${each.year} ${each.month} ${each.day}`)).size === 1;
  const clock = (each) => `${String(each.hour).padStart(2, "0")}:${String(each.minute).padStart(2, "0")}`;
  return { values, labels: dates.map((each) => (one ? clock(each) : `${day(each)} ${clock(each)}`)), kind: "times" };
}

const month = (each) => `${MONTHS[each.month - 1]} ${each.year}`;
const day = (each) => `${each.day} ${MONTHS[each.month - 1]} ${each.year}`;

function fill(dates, isMonths) {
  const ats = dates.map((each) => each.at);
  const last = Math.max(...ats);
  const filled = [];
  let at = Math.min(...ats);
  while (at <= last && filled.length <= FILLED_MAX) {
    filled.push(at);
    const then = new Date(at);
    at = isMonths ? Date.UTC(then.getUTCFullYear(), then.getUTCMonth() + 1, 1) : at + DAY;
  }
  return filled;
}
