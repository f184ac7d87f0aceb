/** Show how a concept is asked while its phrase and definition are written. */

const name = document.getElementById("id_name");
const pairs = [
  [document.getElementById("id_phrase"), document.getElementById("preview-phrase"), () => name.value],
  [document.getElementById("id_definition"), document.getElementById("preview-definition"), () => ""],
];

for (const [field, shown, otherwise] of pairs) {
  for (const input of [field, name]) {
    input?.addEventListener("input", () => {
      shown.textContent = field.value.trim() || otherwise();
    });
  }
}
