// The SQL page: a key to run, names to insert, and the place that is wrong.

export function askWell() {
  const editor = document.querySelector("textarea[data-submit]");
  if (!editor) return;
  const form = editor.form;
  const run = form.querySelector("[data-run]");

  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", () => {
    run.textContent = "Running…";
    run.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    run.textContent = "Run";
    run.removeAttribute("aria-busy");
  });
  addEventListener("click", (event) => {
    const name = event.target.closest?.("[data-insert]")?.dataset.insert;
    if (name === undefined) return;
    const { selectionStart: start, value } = editor;
    const apart = start > 0 && /[\w"]/.test(value[start - 1]) ? " " : "";
    editor.setRangeText(apart + name, start, editor.selectionEnd, "end");
    editor.focus();
  });
  editor.setSelectionRange(editor.value.length, editor.value.length); // names go there
  if (editor.dataset.at) {
    const at = [...editor.value].slice(0, Number(editor.dataset.at)).join("").length;
    editor.focus();
    editor.setSelectionRange(at, editor.value.slice(at).match(/^\w+/)?.[0].length + at || at + 1);
  }
}
