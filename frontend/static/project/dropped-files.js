/** The files of a drop or of a file input, with their paths in the folder: what `Upload` sends. */

/** Return the files below what was dropped, and a name for them all. */
export async function ofDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return ofList(transfer.files);
  const sources = [];
  for (const entry of entries) await walk(entry, sources);
  return { name: nameOf(entries.map((entry) => entry.name)), sources };
}

/** Return the files of an input, those of a folder with their paths. */
export function ofList(list) {
  const sources = [...list].map((file) => sourceOf(file, file.webkitRelativePath || file.name));
  const tops = [...new Set(sources.map(({ path }) => path.split("/")[0]))];
  return { name: nameOf(tops), sources };
}

async function walk(entry, sources) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed)).catch(() => null);
    if (file) sources.push(sourceOf(file, entry.fullPath.replace(/^\//, "")));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return; // a folder comes in pieces of a hundred
    for (const inner of some) await walk(inner, sources);
  }
}

function sourceOf(file, path) {
  return {
    path,
    size: file.size,
    modified: Math.max(0, file.lastModified || 0),
    // In memory, so that a file that cannot be read is known before the request is sent.
    read: async (start, end) => new Blob([await file.slice(start, end).arrayBuffer()]),
  };
}

function nameOf(names) {
  const shown = names.filter((name) => !name.startsWith(".")); // not ".DS_Store"
  const [first = "upload"] = shown;
  return shown.length > 1 ? `${first} and ${shown.length - 1} more` : first;
}
