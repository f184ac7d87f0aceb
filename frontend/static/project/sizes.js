/** Bytes, durations and counts in words. */

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

export function bytes(number) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(number, 1)) / 10));
  const value = number / 1024 ** power;
  return `${value.toLocaleString("en", { maximumFractionDigits: value < 10 && power ? 1 : 0 })} ${UNITS[power]}`;
}

/** "about 3 minutes left"; empty while nobody knows. */
export function timeLeft(seconds) {
  if (seconds === null || !Number.isFinite(seconds)) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.ceil(seconds / 10) * 10} seconds left`;
  if (seconds < 90 * 60) return `about ${count(Math.round(seconds / 60), "minute")} left`;
  return `about ${count(Math.round(seconds / 3600), "hour")} left`;
}

export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
