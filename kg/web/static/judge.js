// A key presses the button, or follows the link, that shows it; "n" goes to the note, and Escape leaves it. A form is sent once.
let sent = false;
document.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
addEventListener("pageshow", () => { sent = false; });
document.addEventListener("keydown", (event) => {
  const note = document.getElementById("note");
  if (event.target === note) {
    if (event.key === "Escape") note.blur();
    if (event.key === "Enter") event.preventDefault(); // or the first verdict would be given
    return;
  }
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "n" && note) {
    event.preventDefault();
    note.focus();
    return;
  }
  const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});
